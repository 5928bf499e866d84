import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Group, type GroupOptions } from '../../../src/adapters/sql-shared/group.ts'
import type { Outcome } from '../../../src/core/outcome.ts'

interface Request {
  readonly keys: readonly string[]
  readonly name: string
  readonly weight?: number
}

/** A group whose batches are answered by hand. */
function make(change: Partial<GroupOptions<Request, string>> = {}) {
  const batches: { readonly names: string[]; readonly keys: string[]; readonly answer: (error?: unknown) => void }[] = []
  const group = new Group<Request, string>({
    call: 'append',
    engine: 'test',
    keysOf: ({ keys }) => keys,
    alone: false,
    weightOf: ({ weight = 1 }) => weight,
    batchMax: 3,
    weightMax: 100,
    inFlight: 2,
    queued: 10,
    send: (requests) =>
      new Promise<readonly Outcome<string>[]>((resolve, reject) => {
        const names = requests.map(({ name }) => name)
        const answer = (error?: unknown) => (error === undefined ? resolve(names.map((value) => ({ ok: true, value }))) : reject(error))
        batches.push({ names, keys: requests.flatMap(({ keys }) => keys), answer })
      }),
    ...change,
  })
  const add = (name: string, ...keys: string[]) => group.add({ name, keys })
  return { group, add, batches, names: () => batches.map((batch) => batch.names) }
}
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

describe('a group', () => {
  test('sends what one turn brings together, and then what came while that was in flight', async () => {
    const { add, batches, names } = make({ inFlight: 1 })
    const answers = [add('a', 'a'), add('b', 'b')]
    await turn()
    answers.push(add('c', 'c'), add('d', 'd'))
    await turn()
    expect(names()).toEqual([['a', 'b']])
    batches[0]?.answer()
    await turn()
    expect(names()).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    batches[1]?.answer()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('has at most so many batches in flight, of at most so many requests and so much weight', async () => {
    const { group, batches, names } = make()
    const answers = [1, 1, 1, 1, 99, 2, 500, 1].map((weight, n) => group.add({ name: `${n}`, keys: [`${n}`], weight }))
    await turn()
    expect(names()).toEqual([
      ['0', '1', '2'],
      ['3', '4'],
    ])
    batches[0]?.answer()
    batches[1]?.answer()
    await turn()
    expect(names().slice(2)).toEqual([['5'], ['6']])
    batches[2]?.answer()
    batches[3]?.answer()
    await turn()
    expect(names().slice(4)).toEqual([['7']])
    batches[4]?.answer()
    await Promise.all(answers)
  })

  test('never has a key in two batches, and lets nothing pass that shares one', async () => {
    const { add, batches, names } = make()
    const answers = [add('1', 'x')]
    await turn()
    answers.push(add('2', 'x', 'y'), add('3', 'y'), add('4', 'z'))
    await turn()
    expect(names()).toEqual([['1'], ['4']])
    batches[0]?.answer()
    await turn()
    expect(names()[2]).toEqual(['2', '3'])
    batches[1]?.answer()
    batches[2]?.answer()
    await Promise.all(answers)
  })

  test('sends requests that share a key one after the other where they have to be alone', async () => {
    const { add, batches, names } = make({ alone: true })
    const answers = [add('1', 'x'), add('2', 'x'), add('3', 'y')]
    await turn()
    expect(names()).toEqual([['1', '3']])
    batches[0]?.answer()
    await turn()
    expect(names()[1]).toEqual(['2'])
    batches[1]?.answer()
    await Promise.all(answers)
  })

  test('takes back what waits when it is aborted, and does not know of what was sent', async () => {
    const { group, batches, names } = make({ inFlight: 1 })
    const stop = new AbortController()
    const sent = group.add({ name: 'sent', keys: ['a'] }, stop.signal)
    await turn()
    const waits = group.add({ name: 'waits', keys: ['b'] }, stop.signal)
    const told = Promise.all([
      expect(sent).rejects.toMatchObject({ code: 'ABORTED', effect: 'unknown' }),
      expect(waits).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' }),
    ])
    stop.abort()
    await told
    await expect(group.add({ name: 'late', keys: [] }, stop.signal)).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    batches[0]?.answer()
    await turn()
    expect(names()).toEqual([['sent']])
    expect(group.waiting).toBe(0)
  })

  test('refuses more than may wait', async () => {
    const { add, batches } = make({ inFlight: 1, queued: 2 })
    const first = add('0')
    await turn()
    const others = [add('1'), add('2')]
    await expect(add('3')).rejects.toMatchObject({ code: 'QUEUE_FULL', effect: 'none', retry: 'later' })
    batches[0]?.answer()
    await turn()
    batches[1]?.answer()
    expect(await Promise.all([first, ...others])).toEqual(['0', '1', '2'])
  })

  test('fails a batch as its sending does, and goes on', async () => {
    const { add, batches } = make({ inFlight: 1 })
    const [one, two] = [add('1', 'x'), add('2', 'y')]
    const told = Promise.all([expect(one).rejects.toThrow('mine'), expect(two).rejects.toThrow('mine')])
    await turn()
    batches[0]?.answer(new Error('mine'))
    await told
    const three = add('3', 'x')
    await turn()
    batches[1]?.answer()
    expect(await three).toBe('3')
  })

  test('rejects what was not answered', async () => {
    const { add } = make({ send: async () => [] })
    await expect(add('1')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', effect: 'unknown' })
  })

  test('closes when all was answered, refuses from then on, and can be opened again', async () => {
    const { group, add, batches } = make({ inFlight: 1 })
    const answers = [add('1')]
    await turn()
    answers.push(add('2'))
    let closed = false
    const closing = group.close().then(() => {
      closed = true
    })
    await expect(add('3')).rejects.toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
    batches[0]?.answer()
    await turn()
    expect(closed).toBe(false)
    batches[1]?.answer()
    await closing
    expect(await Promise.all(answers)).toEqual(['1', '2'])
    await group.close()
    group.reopen()
    const again = add('4')
    await turn()
    batches[2]?.answer()
    expect(await again).toBe('4')
  })

  test('keeps the order of each key, whatever comes when', async () => {
    const step = fc.oneof(
      fc.record({ add: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }) }),
      fc.constant({ turn: true }),
      fc.record({ answer: fc.nat({ max: 1 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, alone) => {
        const { group, batches } = make({ alone, queued: 1_000 })
        const asked: Request[] = []
        const answers: Promise<string>[] = []
        const open = new Set<number>()
        const answered = new Set<number>()
        const look = () => {
          for (let n = 0; n < batches.length; n++) if (!answered.has(n)) open.add(n)
          const keys = [...open].map((n) => new Set(batches[n]?.keys))
          expect(open.size).toBeLessThanOrEqual(2)
          for (const [n, mine] of keys.entries())
            for (const theirs of keys.slice(n + 1)) expect([...mine].some((key) => theirs.has(key))).toBe(false)
          for (const { names, keys: mine } of batches) {
            expect(names.length).toBeLessThanOrEqual(3)
            if (alone) expect(new Set(mine).size).toBe(mine.length)
          }
        }
        const answer = (which: number) => {
          const n = [...open][which % Math.max(1, open.size)]
          if (n === undefined) return
          open.delete(n)
          answered.add(n)
          batches[n]?.answer()
        }
        for (const what of steps) {
          if ('add' in what) {
            const request = { name: String(asked.length), keys: what.add }
            asked.push(request)
            answers.push(group.add(request))
          } else if ('answer' in what) answer(what.answer)
          await turn()
          look()
        }
        for (let n = 0; n < 2_000 && answered.size < batches.length; n++) {
          look()
          answer(0)
          await turn()
        }
        expect(await Promise.all(answers)).toEqual(asked.map(({ name }) => name))
        const order = batches.flatMap(({ names }) => names)
        for (const key of ['a', 'b', 'c', 'd']) {
          const names = asked.filter(({ keys }) => keys.includes(key)).map(({ name }) => name)
          expect(order.filter((name) => names.includes(name))).toEqual(names)
        }
      }),
      { numRuns: 60 },
    )
  })
})
