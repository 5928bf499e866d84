import { describe, expect, test } from 'vitest'
import {
  ambientContext,
  contextFromHeaders,
  createContext,
  enableAmbient,
  policies,
  retry,
  runAmbient,
  timeout,
} from '../../../src/index.ts'
import { resilientFetch } from '../../../src/integrations/fetch/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { moment, script, status } from '../http.ts'

const plain = resilientFetch(policies())
const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: 1, state: 'a=1', baggage: 'b=2' }

describe('headers', () => {
  test('carry the context on', async () => {
    const { url, seen } = await script(status(200))
    const clock = testClock()
    const context = createContext({ trace, correlationId: 'c1', idempotencyKey: 'k1', timeoutMs: 1_500, clock })
    await plain(url, { context, method: 'POST' })
    expect(contextFromHeaders(seen[0]?.headers ?? {})).toEqual({ trace, correlationId: 'c1', idempotencyKey: 'k1', timeoutMs: 1_500 })
  })

  test('carry the tighter deadline of a timeout', async () => {
    const { url, seen } = await script(status(200))
    const clock = testClock()
    await resilientFetch(timeout({ timeoutMs: 700, clock }))(url, { context: createContext({ timeoutMs: 1_500, clock }) })
    expect(seen[0]?.headers['holdfast-deadline-ms']).toBe('700')
  })

  test('of the caller stay as they are', async () => {
    const { url, seen } = await script(status(200))
    const traceparent = '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00'
    const headers = { traceparent, 'holdfast-deadline-ms': '5', 'idempotency-key': 'mine' }
    await plain(url, { context: createContext({ trace, idempotencyKey: 'k1', timeoutMs: 60_000 }), method: 'POST', headers })
    expect(seen[0]?.headers).toMatchObject(headers)
    expect(seen[0]?.headers).not.toHaveProperty('tracestate')
  })

  test('carry no key where nothing is changed', async () => {
    const { url, seen } = await script(status(200))
    await plain(url, { context: createContext({ idempotencyKey: 'k1' }) })
    expect(seen[0]?.headers).not.toHaveProperty('idempotency-key')
  })

  test('of the context are not sent to strangers', async () => {
    const { url, seen } = await script(status(200))
    const context = createContext({ trace, correlationId: 'c1', idempotencyKey: 'k1', timeoutMs: 60_000 })
    await resilientFetch(policies(), { propagate: false })(url, { context, method: 'POST' })
    expect(contextFromHeaders(seen[0]?.headers ?? {})).toEqual({})
  })

  test('come from the ambient context where none is given', async () => {
    enableAmbient()
    const { url, seen } = await script(status(200))
    await runAmbient(createContext({ correlationId: 'ambient' }), () => plain(url))
    expect(seen[0]?.headers['x-correlation-id']).toBe('ambient')
    expect(ambientContext()).toBeUndefined()
  })
})

describe('an abort', () => {
  test('of init.signal rejects with its reason, and reaches the server', async () => {
    const gone = moment()
    const abort = new AbortController()
    const { url } = await script((res) => {
      res.once('close', () => gone.come())
      abort.abort(new Error('enough'))
    })
    await expect(resilientFetch(retry())(url, { signal: abort.signal })).rejects.toThrow('enough')
    await gone.at
  })

  test('of the signal of a Request counts too', async () => {
    const abort = new AbortController()
    const { url } = await script(() => abort.abort())
    await expect(plain(new Request(url, { signal: abort.signal }))).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('from before the call sends nothing', async () => {
    const { url, seen } = await script(status(200))
    await expect(plain(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(seen).toHaveLength(0)
  })

  test('of the context is a refusal of ours, also besides init.signal', async () => {
    const abort = new AbortController()
    const { url } = await script(() => abort.abort())
    const context = createContext({ signal: abort.signal })
    await expect(plain(url, { context, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'ABORTED',
      effect: 'unknown',
    })
  })
})
