import type { AppendRequest } from '../../ports/event-store.ts'
import { type EventStoreCase, event, logOf, one, onLog, put, receiptOf, words } from './event-store-stand.ts'
import { same } from './kit.ts'

const keyed = (stream: string, idempotencyKey: string, change: Partial<AppendRequest> = {}): AppendRequest =>
  one(stream, 'any', [event('paid', { data: { cents: 500 }, tags: ['order 1'] })], { idempotencyKey, ...change })

export const keyCases: readonly EventStoreCase[] = [
  {
    promise: 4,
    name: 'repeats the first answer to a key, in any process, and writes nothing',
    run: onLog(async ({ first, second, open }) => {
      const receipt = await put(first, keyed('a', 'k'))
      await put(first, one('a'))
      for (const store of [first, second, await open()])
        same('again', await store.append([keyed('a', 'k')]), [{ result: 'duplicate', original: receipt }])
      same('written once', (await logOf(first)).length, 2)
    }),
  },
  {
    promise: 4,
    name: 'repeats it before it looks at expectations and conditions, and whatever ids and metadata are',
    run: onLog(async ({ first, second }) => {
      const request = (expect: 'none' | number, change: object = {}): AppendRequest => ({
        ...one('a', expect, [event('paid', { data: 1, ...change })], { idempotencyKey: 'k' }),
      })
      const receipt = await put(first, request('none', { id: 'one', metadata: { trace: 1 } }))
      same('the same expectation', await second.append([request('none')]), [{ result: 'duplicate', original: receipt }])
      same('another', await second.append([request(1, { id: 'two', metadata: { trace: 2 } })]), [
        { result: 'duplicate', original: receipt },
      ])
    }),
  },
  {
    promise: 4,
    name: 'writes once where many use a key at once',
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      const verdicts = (
        await Promise.all(Array.from({ length: 12 }, (_, n) => (stores[n % stores.length] ?? first).append([keyed('a', 'k')])))
      ).flat()
      const receipt = receiptOf(verdicts.find(({ result }) => result === 'ok'))
      same('one', verdicts.filter(({ result }) => result === 'ok').length, 1)
      for (const verdict of verdicts) if (verdict.result !== 'ok') same('the others', verdict, { result: 'duplicate', original: receipt })
      same('written once', (await logOf(first)).length, 1)
    }),
  },
  {
    promise: 4,
    name: 'knows a key again within one batch',
    run: onLog(async ({ first }) => {
      const [one, two] = await first.append([keyed('a', 'k'), keyed('a', 'k')])
      same('the second', two, { result: 'duplicate', original: receiptOf(one) })
      same('written once', (await logOf(first)).length, 1)
    }),
  },
  {
    promise: 4,
    name: 'refuses a key that was used for another content',
    run: onLog(async ({ first, second }) => {
      await put(first, keyed('a', 'k'))
      const others: readonly AppendRequest[] = [
        keyed('b', 'k'),
        one('a', 'any', [event('paid', { data: { cents: 501 }, tags: ['order 1'] })], { idempotencyKey: 'k' }),
        one('a', 'any', [event('other', { data: { cents: 500 }, tags: ['order 1'] })], { idempotencyKey: 'k' }),
        one('a', 'any', [event('paid', { data: { cents: 500 }, tags: ['order 2'] })], { idempotencyKey: 'k' }),
        one('a', 'any', [], { idempotencyKey: 'k' }),
      ]
      same(
        'verdicts',
        words(await second.append(others)),
        others.map(() => 'none KEY_REUSED'),
      )
      same('written once', (await logOf(first)).length, 1)
    }),
  },
  {
    promise: 4,
    name: 'does not keep a conflict: the key is free for the next try',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a'))
      const request = (expect: number) => one('a', expect, [event()], { idempotencyKey: 'k' })
      same('a conflict', words(await first.append([request(0)])), ['conflict stream'])
      same('the next try', words(await second.append([request(1), request(1)])), ['ok', 'duplicate'])
      same('a malformed one', words(await first.append([one('', 'any', [event()], { idempotencyKey: 'k2' })])), ['none INVALID_INPUT'])
      same('its next try', words(await first.append([one('b', 'any', [event()], { idempotencyKey: 'k2' })])), ['ok'])
    }),
  },
  {
    promise: 4,
    name: 'keeps the keys of tenants apart',
    run: onLog(async ({ first }) => {
      const verdicts = await first.append([
        keyed('a', 'k'),
        keyed('a', 'k', { tenant: 't1' }),
        keyed('a', 'k', { tenant: 't2' }),
        keyed('a', 'k'),
      ])
      same('verdicts', words(verdicts), ['ok', 'ok', 'ok', 'duplicate'])
    }),
  },
]
