import { expect, test } from 'vitest'
import { memoryStorage, memoryStore, memoryTransactions } from '../../../src/adapters/memory/index.ts'
import { logOf, names, one, standTransaction, streamOf, tagged, word, words } from '../../../src/testing/contracts/event-store-stand.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

async function opened() {
  const clock = testClock()
  const storage = memoryStorage({ clock })
  await storage.open()
  const transactions = memoryTransactions(storage)
  return { clock, storage, transactions, content: storage.store, store: storage.eventStore, begin: () => standTransaction(transactions) }
}

const never = () => new Promise<never>(() => {})

test('commits what a function has written when it resolves, and answers what it did', async () => {
  const { store, transactions } = await opened()
  const answer = await transactions.run(async (tx) => {
    await store.join(tx).append(one('a'))
    expect([tx.isOpen, await streamOf(store, 'a')]).toEqual([true, []])
    return 7
  })
  expect([answer, names(await streamOf(store, 'a'))]).toEqual([7, ['a@1']])
  expect((await streamOf(store, 'a'))[0]?.position).toBe(1n)
  expect(transactions.engine).toBe('memory')
})

test('rolls back when it rejects, and rejects with what was thrown', async () => {
  const { store, transactions } = await opened()
  const failure = new Error('no')
  const running = transactions.run(async (tx) => {
    await store.join(tx).append(one('a'))
    throw failure
  })
  await expect(running).rejects.toBe(failure)
  expect(await logOf(store)).toEqual([])
  expect(words(await store.append([one('a', 'none')]))).toEqual(['ok'])
})

test('rolls back at once when its signal aborts, and takes no further write', async () => {
  const { store, transactions } = await opened()
  const caller = new AbortController()
  let later = (): void => {}
  const goesOn = new Promise<void>((resolve) => {
    later = resolve
  })
  let late: Promise<string> | undefined
  const running = transactions.run(
    async (tx) => {
      await store.join(tx).append(one('a'))
      late = goesOn.then(async () => word(await store.join(tx).append(one('a'))))
      await late
    },
    { signal: caller.signal },
  )
  await Promise.resolve()
  caller.abort('enough')
  await expect(running).rejects.toMatchObject({ code: 'ABORTED', effect: 'none', cause: 'enough' })
  later()
  expect(await late).toBe('none TX_NOT_OPEN')
  expect(words(await store.append([one('a', 'none')]))).toEqual(['ok'])
  await expect(transactions.run(never, { signal: caller.signal })).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
})

test('is committed where its signal aborts in the very step of the commit', async () => {
  const { store, transactions, content } = await opened()
  const caller = new AbortController()
  content.events.bells.add({ ring: () => caller.abort() } as never)
  expect(await transactions.run(async (tx) => word(await store.join(tx).append(one('a'))), { signal: caller.signal })).toBe('ok')
  expect(caller.signal.aborted).toBe(true)
  expect(await logOf(store)).toHaveLength(1)
})

test('ends the wait of a transaction that is rolled back meanwhile', async () => {
  const { store, begin, transactions } = await opened()
  const holder = await begin()
  await store.join(holder.tx).append(one('a'))
  const caller = new AbortController()
  let waiting: Promise<string> | undefined
  const running = transactions.run(
    async (tx) => {
      waiting = store.join(tx).append(one('a')).then(word)
      await waiting
    },
    { signal: caller.signal },
  )
  caller.abort()
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await waiting).toBe('none TX_NOT_OPEN')
  await holder.commit()
  expect(names(await streamOf(store, 'a'))).toEqual(['a@1'])
})

test('refuses a transaction of another store, and what has no store', async () => {
  const [one1, two] = [await opened(), await opened()]
  const { tx } = await one1.begin()
  expect(word(await two.store.join(tx).append(one('a')))).toBe('none TX_NOT_OPEN')
  await expect(two.storage.checkpoints.save({ name: 'a', from: 0n, to: 1n, incarnation: 'i', token: 1 }, { tx })).rejects.toMatchObject({
    code: 'TX_NOT_OPEN',
    effect: 'none',
  })
  expect(() => memoryTransactions({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  const store = memoryStore()
  await memoryTransactions(store).run(async (open) => expect(open.isOpen).toBe(true))
})

test('bounds how many wait for a transaction', async () => {
  const { clock, store, begin } = await opened()
  const holder = await begin()
  await store.join(holder.tx).append(one('a'))
  const waiting = store.append(
    Array.from({ length: 1_000 }, () => one('a')),
    { timeoutMs: 1_000 },
  )
  expect(words(await store.append([one('a'), one('b')]))).toEqual(['none QUEUE_FULL', 'ok'])
  await clock.advance(400)
  expect(await store.stats()).toMatchObject({ waiting: 1_000, oldestWaitMs: 400 })
  await clock.advance(600)
  expect(new Set(words(await waiting))).toEqual(new Set(['none STREAM_BUSY']))
  expect(await store.stats()).toMatchObject({ waiting: 0, oldestWaitMs: 0 })
  await holder.rollback()
})

test('answers what waits in the order in which it came, wherever requests share something', async () => {
  const { store, begin } = await opened()
  const holder = await begin()
  await store.join(holder.tx).append(one('a', 'any', [tagged('x')]))
  const asked = [store.append([one('a', 'any', [tagged('y')])]), store.append([one('b', 'any', [tagged('y')])]), store.append([one('c')])]
  expect(words(await (asked[2] ?? []))).toEqual(['ok'])
  await holder.commit()
  await Promise.all(asked)
  expect(names(await logOf(store))).toEqual(['c@1', 'a@1', 'a@2', 'b@1'])
})

test('answers what waits when its store is closed, and of no other', async () => {
  const clock = testClock()
  const content = memoryStore()
  const [mine, yours] = [memoryStorage({ clock, store: content }), memoryStorage({ clock, store: content })]
  await mine.open()
  await yours.open()
  const holder = await standTransaction(memoryTransactions(content))
  await mine.eventStore.join(holder.tx).append(one('a'))
  const [closed, open] = [mine.eventStore.append([one('a')]), yours.eventStore.append([one('a')])]
  const saving = mine.eventStore.archive('a')
  saving.catch(() => {})
  await mine.close()
  expect(words(await closed)).toEqual(['none NOT_STARTED'])
  await expect(saving).rejects.toMatchObject({ code: 'NOT_STARTED' })
  await holder.commit()
  expect(words(await open)).toEqual(['ok'])
  expect(clock.pending).toBe(0)
})

test('leaves one listener on a signal, however many wait with it, and none afterwards', async () => {
  const { store } = await opened()
  const caller = new AbortController()
  let listening = 0
  const { addEventListener, removeEventListener } = caller.signal
  caller.signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
    listening += 1
    addEventListener.apply(caller.signal, args)
  }
  caller.signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
    listening -= 1
    removeEventListener.apply(caller.signal, args)
  }
  const following = Array.from({ length: 20 }, async () => {
    for await (const { scannedTo } of store.subscribe({ signal: caller.signal })) if (scannedTo === 1n) break
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  await turn()
  expect(listening).toBe(1)
  await store.append([one('a')])
  await Promise.all(following)
  await turn()
  expect(listening).toBe(0)
})

test('keeps filtered reads right when most of a long list is gone', async () => {
  const { store } = await opened()
  for (const stream of ['a', 'b'])
    await store.append([
      one(
        stream,
        'none',
        Array.from({ length: 2_000 }, () => tagged('x')),
      ),
    ])
  await store.append([one('c', 'none', [tagged('x')])])
  await store.truncate('a', { beforeVersion: 1_999 })
  await store.tombstone('b')
  expect(names(await logOf(store, { tags: ['x'] }))).toEqual(['a@1999', 'a@2000', 'c@1'])
  expect(names(await logOf(store, { types: ['placed'], tenant: '*', batch: 1 }))).toEqual(['a@1999', 'a@2000', 'c@1'])
  await store.append([one('d', 'none', [tagged('x')])])
  expect(names(await logOf(store, { tags: ['x'], after: 2_000n }))).toEqual(['c@1', 'd@1'])
})
