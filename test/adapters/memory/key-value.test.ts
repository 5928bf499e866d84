import { expect, test } from 'vitest'
import { ChangeFeed } from '../../../src/adapters/kv-shared/change-feed.ts'
import { memoryStorage, memoryStore } from '../../../src/adapters/memory/index.ts'
import { refusal } from '../../../src/core/errors.ts'
import type { KeyChange } from '../../../src/ports/key-value.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

async function opened() {
  const clock = testClock()
  const store = memoryStore()
  const storage = memoryStorage({ clock, store })
  await storage.open()
  return { ...storage, clock, store }
}

test('forgets keys and leases whose time is over without being asked for them, and without a timer', async () => {
  const { clock, store, keyValue, lease } = await opened()
  for (let n = 0; n < 20_000; n++) {
    await keyValue.put(`k${n}`, 'x', { ttlMs: 100 })
    await lease.acquire(`l${n}`, 'one', { ttlMs: 100 })
    if (n % 100 === 0) await clock.advance(100)
  }
  expect(store.values.size).toBeLessThan(2_100)
  expect(store.names.size).toBeLessThan(2_100)
  expect(clock.pending).toBe(0)
})

test('has one timer for all keys while somebody watches, and none afterwards', async () => {
  const { clock, keyValue } = await opened()
  const stop = new AbortController()
  keyValue.watch('', stop.signal)
  keyValue.watch('k', stop.signal)
  for (let n = 0; n < 100; n++) await keyValue.put(`k${n}`, 'x', { ttlMs: 100 + n * 100 })
  expect(clock.pending).toBe(1)
  stop.abort()
  expect(clock.pending).toBe(0)
})

test('tells a reader that comes late of each key once, as it is by then', async () => {
  const { keyValue } = await opened()
  const feed = keyValue.watch('')[Symbol.asyncIterator]()
  for (let n = 0; n < 50; n++) await keyValue.put(n % 2 === 0 ? 'a' : 'b', String(n))
  await keyValue.delete('b')
  const told = [await feed.next(), await feed.next()]
  expect(told.map(({ value }) => [(value as KeyChange).key, (value as KeyChange).entry?.value])).toEqual([
    ['a', '48'],
    ['b', undefined],
  ])
  await feed.return?.()
})

test('ends the watch of a reader that is 100,000 keys behind, and holds nothing for it', async () => {
  const { keyValue, store } = await opened()
  const feed = keyValue.watch('')[Symbol.asyncIterator]()
  for (let n = 0; n < 100_001; n++) await keyValue.put(`k${n}`, '')
  expect(store.watchers.size).toBe(0)
  await expect(feed.next()).rejects.toMatchObject({ code: 'QUEUE_FULL', effect: 'none', retry: 'later' })
  expect(await feed.next()).toEqual({ done: true, value: undefined })
})

test('leaves nothing on a signal that outlives many watches', async () => {
  const { keyValue, store } = await opened()
  const { signal } = new AbortController()
  const listening = new Set<unknown>()
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listening.add(args[1])
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listening.delete(args[1])
    remove(...args)
  }
  for (let n = 0; n < 100; n++) await keyValue.watch('', signal)[Symbol.asyncIterator]().return?.()
  await new Promise((resolve) => setImmediate(resolve))
  expect(listening.size).toBe(0)
  expect(store.watchers.size).toBe(0)
})

test('a feed answers questions in their order, reads in batches, and leaves a read that hangs when it ends', async () => {
  const reads: string[][] = []
  let left = 0
  let answer: () => void = () => {}
  const feed = new ChangeFeed('', undefined, {
    batch: 2,
    left: () => left++,
    read: async (keys) => {
      reads.push([...keys])
      if (keys.includes('hang')) await new Promise<void>((resolve) => (answer = resolve))
      return keys.map(() => undefined)
    },
  })
  for (const key of ['a', 'b', 'c', 'a']) feed.changed(key)
  const told = await Promise.all([feed.next(), feed.next(), feed.next()])
  expect(told.map(({ value }) => value?.key)).toEqual(['a', 'b', 'c'])
  expect(reads).toEqual([['a', 'b'], ['c']])
  feed.changed('hang')
  const hanging = feed.next()
  await Promise.resolve()
  await feed.return()
  expect(await hanging).toEqual({ done: true, value: undefined })
  answer()
  expect(left).toBe(1)
})

test('a feed whose states cannot be read ends with the reason, and leaves its source', async () => {
  let left = 0
  const failure = refusal('STORAGE_UNAVAILABLE', 'gone')
  const feed = new ChangeFeed('', new AbortController().signal, { left: () => left++, read: () => Promise.reject(failure) })
  feed.changed('a')
  await expect(feed.next()).rejects.toBe(failure)
  expect([left, feed.over]).toEqual([1, true])
  expect(await feed.next()).toEqual({ done: true, value: undefined })
})
