import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Context, TraceContext } from '../../src/core/context.ts'
import { contextFromHeaders, type HeaderSource, headersFromContext } from '../../src/core/headers.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${spanId}-01`

const contextOf = (part: Partial<Context>): Context => ({ remainingMs: Number.POSITIVE_INFINITY, idempotencyKey: 'k', ...part }) as Context

function ignoredIn(headers: HeaderSource): Array<[string, string]> {
  const seen: Array<[string, string]> = []
  contextFromHeaders(headers, (name, reason) => seen.push([name, reason]))
  return seen
}

describe('traceparent', () => {
  test.each<[string, string, TraceContext | undefined]>([
    ['version 00', traceparent, { traceId, spanId, flags: 1 }],
    ['unsampled', `00-${traceId}-${spanId}-00`, { traceId, spanId, flags: 0 }],
    ['spaces around', `  ${traceparent}\t`, { traceId, spanId, flags: 1 }],
    ['a higher version of the same length', `cc-${traceId}-${spanId}-03`, { traceId, spanId, flags: 3 }],
    ['a higher version with more fields', `01-${traceId}-${spanId}-01-what-the-future-brings`, { traceId, spanId, flags: 1 }],
    ['a higher version with more glued on', `01-${traceId}-${spanId}-01x`, undefined],
    ['version 00 with more fields', `${traceparent}-00`, undefined],
    ['version 00 with a dash', `${traceparent}-`, undefined],
    ['version ff', `ff-${traceId}-${spanId}-01`, undefined],
    ['upper case', traceparent.toUpperCase(), undefined],
    ['an upper-case version', `0A-${traceId}-${spanId}-01`, undefined],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`, undefined],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`, undefined],
    ['a short trace id', `00-${traceId.slice(1)}-${spanId}-01`, undefined],
    ['flags that are not hex', `00-${traceId}-${spanId}-0g`, undefined],
    ['two of them joined', `${traceparent}, ${traceparent}`, undefined],
    ['nothing', '', undefined],
  ])('%s', (_, header, trace) => {
    expect(contextFromHeaders({ traceparent: header }).trace).toEqual(trace)
    expect(ignoredIn({ traceparent: header })).toHaveLength(trace === undefined ? 1 : 0)
  })

  test('says which header did not count and why, without its value', () => {
    expect(ignoredIn({ traceparent: `ff-${traceId}-${spanId}-01`, tracestate: 'a=1', baggage: 'secret=1' })).toEqual([
      ['traceparent', 'version ff is forbidden'],
      ['tracestate', 'without a valid traceparent'],
      ['baggage', 'without a valid traceparent'],
    ])
  })

  test('is sent with the flags that are defined, the rest zero', () => {
    expect(headersFromContext(contextOf({ trace: { traceId, spanId, flags: 0xff } })).traceparent).toBe(`00-${traceId}-${spanId}-03`)
  })

  test('is not sent when its parts were set by hand and make none', () => {
    expect(headersFromContext(contextOf({ trace: { traceId: 'mine', spanId, flags: 1, state: 'a=1' } }))).toEqual({
      'idempotency-key': 'k',
    })
  })
})

describe('tracestate and baggage', () => {
  test('are kept untouched', () => {
    const state = 'rojo=00f067aa0ba902b7,  congo=t61rcWkgMzE'
    const baggage = 'user%20Id=Am%C3%A9lie;meta=1 , region=eu'
    expect(contextFromHeaders({ traceparent, tracestate: state, baggage }).trace).toEqual({ traceId, spanId, flags: 1, state, baggage })
  })

  test.each([
    ['tracestate', 512],
    ['baggage', 8_192],
  ])('%s counts up to %i characters', (name, max) => {
    const read = (length: number) => Object.keys(contextFromHeaders({ traceparent, [name]: 'x'.repeat(length) }).trace ?? {})
    expect(read(max)).toContain(name === 'tracestate' ? 'state' : name)
    expect(read(max + 1)).toEqual(['traceId', 'spanId', 'flags'])
  })

  test('are left out when they would split the header or are not ASCII', () => {
    const trace = { traceId, spanId, flags: 1, state: 'a=1\r\nset-cookie: x', baggage: 'a=é' }
    expect(headersFromContext(contextOf({ trace }))).toEqual({ traceparent, 'idempotency-key': 'k' })
    expect(contextFromHeaders({ traceparent, tracestate: 'a=1\nb', baggage: 'é' }).trace).toEqual({ traceId, spanId, flags: 1 })
  })

  test('of several headers are joined as one list', () => {
    expect(contextFromHeaders({ traceparent, tracestate: ['a=1', 'b=2'] }).trace?.state).toBe('a=1,b=2')
  })
})

describe('idempotency-key', () => {
  test.each([
    ['"8e03978e-40d5"', '8e03978e-40d5'],
    ['8e03978e-40d5', '8e03978e-40d5'],
    ['"a \\"b\\" \\\\"', 'a "b" \\'],
    ['"key";v=1', 'key'],
    ['order/o1:reserve', 'order/o1:reserve'],
    ['x'.repeat(255), 'x'.repeat(255)],
    ['x'.repeat(256), undefined],
    ['""', undefined],
    ['', undefined],
    ['two words', undefined],
    ['a, b', undefined],
    ['"open', undefined],
    ['"bad \\escape"', undefined],
    ['"é"', undefined],
    ['"a", "b"', undefined],
  ])('%s is read as %s', (header, key) => {
    expect(contextFromHeaders({ 'idempotency-key': header }).idempotencyKey).toBe(key)
    expect(ignoredIn({ 'idempotency-key': header })).toHaveLength(key === undefined ? 1 : 0)
  })

  test('is sent bare where that is unambiguous, else quoted', () => {
    const sent = (idempotencyKey: string) => headersFromContext(contextOf({ idempotencyKey }))['idempotency-key']
    expect(sent('saga/o1/reserve')).toBe('saga/o1/reserve')
    expect(sent('a,b "c" \\')).toBe('"a,b \\"c\\" \\\\"')
  })

  test('that cannot travel is sent as a hash, the same one each time', () => {
    const sent = (idempotencyKey: string) => headersFromContext(contextOf({ idempotencyKey }))['idempotency-key']
    expect(sent('Zoë')).toMatch(/^[0-9a-f]{64}$/)
    expect(sent('Zoë')).toBe(sent('Zoë'))
    expect(sent('Zoë')).not.toBe(sent('Zoé'))
    expect(sent('a\r\nb')).toMatch(/^[0-9a-f]{64}$/)
    expect(sent('x'.repeat(256))).toMatch(/^[0-9a-f]{64}$/)
    expect(sent('')).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('holdfast-deadline-ms', () => {
  test.each([
    ['1500', 1_500],
    ['0', 0],
    ['007', 7],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['1'.repeat(16), undefined],
    ['', undefined],
  ])('%s is read as %s', (header, timeoutMs) => {
    expect(contextFromHeaders({ 'holdfast-deadline-ms': header }).timeoutMs).toBe(timeoutMs)
    expect(ignoredIn({ 'holdfast-deadline-ms': header })).toHaveLength(timeoutMs === undefined ? 1 : 0)
  })

  test('is what remains, rounded down, and absent without a deadline', () => {
    const sent = (remainingMs: number) => headersFromContext(contextOf({ remainingMs }))['holdfast-deadline-ms']
    expect(sent(1_999.9)).toBe('1999')
    expect(sent(0)).toBe('0')
    expect(sent(1e21)).toBe('999999999999999')
    expect(sent(Number.POSITIVE_INFINITY)).toBeUndefined()
  })
})

test('a correlation id that is not visible ASCII is neither read nor sent', () => {
  expect(contextFromHeaders({ 'x-correlation-id': 'req-1' })).toEqual({ correlationId: 'req-1' })
  expect(ignoredIn({ 'x-correlation-id': 'a b' })).toEqual([['x-correlation-id', 'not 1 to 255 characters of visible ASCII']])
  expect(headersFromContext(contextOf({ correlationId: 'req-1' }))['x-correlation-id']).toBe('req-1')
  expect(headersFromContext(contextOf({ correlationId: 'a\nb' }))).toEqual({ 'idempotency-key': 'k' })
})

test('Headers, Node headers and records in any case are read alike', () => {
  const record = { Traceparent: traceparent, 'Idempotency-Key': 'k1', 'HOLDFAST-Deadline-MS': '5' }
  const change = { trace: { traceId, spanId, flags: 1 }, idempotencyKey: 'k1', timeoutMs: 5 }
  expect(contextFromHeaders(record)).toEqual(change)
  expect(contextFromHeaders(new Headers(record))).toEqual(change)
  expect(
    contextFromHeaders({ traceparent, 'idempotency-key': 'k1', 'holdfast-deadline-ms': '5', cookie: ['a', 'b'], host: undefined }),
  ).toEqual(change)
})

test('what is absent changes nothing', () => {
  expect(contextFromHeaders({})).toEqual({})
  expect(contextFromHeaders(new Headers())).toEqual({})
})

test('what is not text or is absurdly long is ignored unread', () => {
  expect(ignoredIn({ traceparent: 7, 'idempotency-key': ['a', 7], 'x-correlation-id': 'x'.repeat(16_385) })).toEqual([
    ['traceparent', 'not text'],
    ['idempotency-key', 'not text'],
    ['x-correlation-id', 'longer than 16384 characters'],
  ])
})

const names = ['traceparent', 'tracestate', 'baggage', 'idempotency-key', 'holdfast-deadline-ms', 'x-correlation-id']
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.anything(),
  fc.array(fc.string()),
  fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,4}$/),
  fc.constantFrom('"'.repeat(9_000), ' '.repeat(16_000), '\\'.repeat(9_000)),
)

test('nothing that a peer sends makes reading throw, and what is read can be sent on', () => {
  const anything = fc.oneof(fc.record(Object.fromEntries(names.map((name) => [name, hostile])), { requiredKeys: [] }), fc.anything())
  fc.assert(
    fc.property(anything, (headers) => {
      const { timeoutMs = Number.POSITIVE_INFINITY, ...change } = contextFromHeaders(headers as HeaderSource)
      const sent = headersFromContext(contextOf({ ...change, remainingMs: timeoutMs }))
      expect(() => new Headers(sent)).not.toThrow()
    }),
    { numRuns: 2_000 },
  )
})

test('what is sent is read back equal', () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((id) => !/^0+$/.test(id))
  const visible = fc.stringMatching(/^[!-~]{1,40}$/)
  const trace = fc.record(
    { traceId: hex(32), spanId: hex(16), flags: fc.integer({ min: 0, max: 3 }), state: visible, baggage: visible },
    { requiredKeys: ['traceId', 'spanId', 'flags'] },
  )
  const change = fc.record(
    {
      idempotencyKey: fc.stringMatching(/^[ -~]{1,255}$/),
      timeoutMs: fc.maxSafeNat().filter((n) => n < 1e15),
      correlationId: visible,
      trace,
    },
    { requiredKeys: ['idempotencyKey'] },
  )
  fc.assert(
    fc.property(change, ({ timeoutMs, ...rest }) => {
      const sent = headersFromContext(contextOf({ ...rest, remainingMs: timeoutMs ?? Number.POSITIVE_INFINITY }))
      expect(contextFromHeaders(new Headers(sent))).toEqual({ ...rest, ...(timeoutMs !== undefined && { timeoutMs }) })
      expect(contextFromHeaders(sent)).toEqual(contextFromHeaders(new Headers(sent)))
    }),
    { numRuns: 500 },
  )
})
