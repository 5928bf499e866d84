import type { AppendRequest, NewEvent } from '../../ports/event-store.ts'
import { type EventStoreCase, event, logOf, one, onLog, put, streamOf, words } from './event-store-stand.ts'
import { refuses, same } from './kit.ts'

const text = (length: number): string => 'x'.repeat(length)
const tags = (count: number): string[] => Array.from({ length: count }, (_, n) => `tag ${n}`)
/** Of so many bytes as JSON. */
const dataOf = (bytes: number): string => text(bytes - 2)
const writes = (count: number): AppendRequest => ({
  writes: Array.from({ length: count }, (_, n) => ({ stream: `s${n}`, expect: 'any', events: [event()] })),
})
const of = (...events: unknown[]): AppendRequest => one('a', 'any', events as NewEvent[])
const raw = (request: unknown): AppendRequest => request as AppendRequest
const conditioned = (condition: unknown): AppendRequest => raw({ ...one('a'), condition })
const queries = (count: number) => Array.from({ length: count }, (_, n) => ({ tags: [`tag ${n}`] }))

const DATA_MAX_BYTES = 1_048_576
const METADATA_MAX_BYTES = 65_536

const MALFORMED: readonly (readonly [string, AppendRequest, string])[] = [
  ['no request', raw(null), 'INVALID_INPUT'],
  ['no writes', { writes: [] }, 'INVALID_INPUT'],
  ['too many streams', writes(65), 'TOO_LARGE'],
  ['a stream twice', { writes: [...one('a').writes, ...one('a').writes] }, 'INVALID_INPUT'],
  ['an empty stream name', one(''), 'INVALID_INPUT'],
  ['a long stream name', one('ü'.repeat(257)), 'INVALID_INPUT'],
  ['a stream name with NUL', one('a\0b'), 'INVALID_INPUT'],
  ['a stream name with a lone surrogate', one('a\ud800'), 'NOT_JSON'],
  ['an unknown expectation', raw(one('a', 'some' as 'any')), 'INVALID_INPUT'],
  ['a negative version', one('a', -1), 'INVALID_INPUT'],
  ['half a version', one('a', 1.5), 'INVALID_INPUT'],
  ['no list of events', raw({ writes: [{ stream: 'a', expect: 'any' }] }), 'INVALID_INPUT'],
  ['no event', of(undefined), 'INVALID_INPUT'],
  ['no type', of({ data: 1 }), 'INVALID_INPUT'],
  ['a long type', of(event(text(201))), 'INVALID_INPUT'],
  ['a type with NUL', of(event('a\0b')), 'INVALID_INPUT'],
  ['an empty id', of(event('x', { id: '' })), 'INVALID_INPUT'],
  ['a Date', of(event('x', { data: { at: new Date(0) } })), 'NOT_JSON'],
  ['NaN', of(event('x', { data: Number.NaN })), 'NOT_JSON'],
  ['large data', of(event('x', { data: dataOf(DATA_MAX_BYTES + 1) })), 'TOO_LARGE'],
  ['metadata that are no object', of(event('x', { metadata: [] as unknown as Record<string, unknown> })), 'INVALID_INPUT'],
  ['large metadata', of(event('x', { metadata: { a: dataOf(METADATA_MAX_BYTES) } })), 'TOO_LARGE'],
  ['many tags', of(event('x', { tags: tags(33) })), 'TOO_LARGE'],
  ['a long tag', of(event('x', { tags: [text(201)] })), 'INVALID_INPUT'],
  ['an empty tag', of(event('x', { tags: [''] })), 'INVALID_INPUT'],
  [
    'many events',
    one(
      'a',
      'any',
      Array.from({ length: 10_001 }, () => event()),
    ),
    'TOO_LARGE',
  ],
  [
    'a large request',
    one(
      'a',
      'any',
      Array.from({ length: 17 }, () => event('x', { data: dataOf(DATA_MAX_BYTES) })),
    ),
    'TOO_LARGE',
  ],
  ['a long key', one('a', 'any', [event()], { idempotencyKey: text(201) }), 'INVALID_INPUT'],
  ['an empty key', one('a', 'any', [event()], { idempotencyKey: '' }), 'INVALID_INPUT'],
  ['a long tenant', one('a', 'any', [event()], { tenant: text(201) }), 'INVALID_INPUT'],
  ['the tenant of all', one('a', 'any', [event()], { tenant: '*' }), 'INVALID_INPUT'],
  ['a condition without queries', conditioned({ queries: [], after: 0n }), 'INVALID_INPUT'],
  ['many queries', conditioned({ queries: queries(33), after: 0n }), 'TOO_LARGE'],
  ['a query without a tag', conditioned({ queries: [{ types: ['x'] }], after: 0n }), 'INVALID_INPUT'],
  ['a negative position', conditioned({ queries: 'whole-log', after: -1n }), 'INVALID_INPUT'],
  ['a position that is a number', conditioned({ queries: 'whole-log', after: 0 }), 'INVALID_INPUT'],
]

export const malformedCases: readonly EventStoreCase[] = [
  {
    promise: 1,
    name: 'answers a malformed request, and writes those beside it',
    run: onLog(async ({ first }) => {
      for (const [what, request, code] of MALFORMED)
        same(what, words(await first.append([one('good'), request, one('good')])), ['ok', `none ${code}`, 'ok'])
      same('the good ones', (await streamOf(first, 'good')).length, MALFORMED.length * 2)
      same('nothing else', (await logOf(first)).length, MALFORMED.length * 2)
    }),
  },
  {
    promise: 1,
    name: 'takes what is just within its bounds, and gives it back',
    run: onLog(async ({ first, second }) => {
      const stream = 'ü'.repeat(256)
      const full = event(text(200), {
        data: dataOf(DATA_MAX_BYTES),
        metadata: { a: dataOf(METADATA_MAX_BYTES - 6) },
        tags: Array.from({ length: 32 }, (_, n) => `${String(n).padStart(2, '0')}${text(198)}`),
        id: text(200),
      })
      await put(first, {
        writes: [{ stream, expect: 'none', events: [full] }],
        tenant: text(200),
        idempotencyKey: text(200),
        condition: { queries: queries(32), after: 0n },
      })
      const [stored] = await streamOf(second, stream, { tenant: text(200) })
      const { type, data, metadata, tags, id } = stored ?? {}
      same('as handed in', { type, data, metadata, tags, id }, full)
      await put(first, writes(64))
      await put(
        first,
        one(
          'long',
          'none',
          Array.from({ length: 10_000 }, () => event()),
        ),
      )
      same('all', (await logOf(second, { tenant: '*' })).length, 1 + 64 + 10_000)
    }),
  },
  {
    promise: 1,
    name: 'refuses the whole call where its options are unfit',
    run: onLog(async ({ first }) => {
      for (const timeoutMs of [0, Number.NaN, 600_001])
        await refuses(`timeoutMs ${timeoutMs}`, 'INVALID_INPUT', () => first.append([one('a')], { timeoutMs }))
      await refuses('no list', 'INVALID_INPUT', () => first.append(one('a') as unknown as AppendRequest[]))
      same('nothing written', await logOf(first), [])
    }),
  },
]
