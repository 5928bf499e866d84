import { Readable } from 'node:stream'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  bulkhead,
  circuitBreaker,
  consecutive,
  createContext,
  type HoldfastError,
  keyed,
  type Policy,
  policies,
  retry,
  timeout,
} from '../../../src/index.ts'
import { axiosAdapter } from '../../../src/integrations/axios/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { close, moment, script, status, turn } from '../http.ts'
import { adapter, ClientError, given } from './client.ts'

const under = (policy: Policy, options = {}) => axiosAdapter(policy, { adapter, ...options })
const thrice = under(retry({ attempts: 3, delayMs: 0 }))
const busy = () => script(status(503))

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !holds(); turns++) await turn()
}

describe('what counts', () => {
  test.each([
    [200, 'closed'],
    [404, 'closed'],
    [429, 'open'],
    [503, 'open'],
  ])('a %i leaves the breaker %s, as a response or as the error of validateStatus', async (code, state) => {
    const { url } = await script(status(code))
    const breaker = circuitBreaker({ trips: consecutive(1) })
    const send = under(breaker)
    const config = { url, validateStatus: () => true }
    expect(await send(config)).toMatchObject({ status: code, data: `status ${code}` })
    expect(breaker.state).toBe(state)
    if (code === 200) return
    const rejected = await under(policies())({ url }).catch((error: unknown) => error)
    expect(rejected).toBeInstanceOf(ClientError)
    expect(rejected).toMatchObject({ isAxiosError: true, config: { url }, response: { status: code, data: `status ${code}` } })
  })

  test('a network error counts, and is the client’s own to the caller, with the configuration that it gave', async () => {
    const { url, server } = await script(status(200))
    await close(server)
    const breaker = circuitBreaker({ trips: consecutive(1) })
    const send = under(breaker)
    const config = { url, method: 'post' }
    const error = await send(config).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'ECONNRESET', isAxiosError: true })
    expect((error as ClientError).config).toBe(config)
    await expect(send(config)).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
  })

  test('what the client refuses is not sent again', async () => {
    given.length = 0
    await expect(thrice({ url: 'nowhere' })).rejects.toMatchObject({ code: 'ERR_INVALID_URL' })
    expect(given).toHaveLength(1)
  })

  test('counts for its host alone under a policy keyed by host', async () => {
    const [bad, good] = [await busy(), await script(status(200))]
    const send = under(keyed(() => circuitBreaker({ trips: consecutive(1) }), { by: 'host' }))
    await expect(send({ url: bad.url })).rejects.toMatchObject({ code: 'ERR_BAD_RESPONSE' })
    await expect(send({ url: '/path', baseURL: bad.url })).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(await send({ url: good.url })).toMatchObject({ status: 200 })
  })

  test.each([
    ['Mon, 05 Jan 2026 00:00:10 GMT', 10_000],
    ['2', 2_000],
  ])('policies see Retry-After: %s as %s ms', async (header, ms) => {
    const { url } = await script(status(429, { 'Retry-After': header }))
    const errors: HoldfastError[] = []
    const spy = retry({ delayMs: 0, retryIf: (error) => errors.push(error as HoldfastError) < 0 })
    await expect(under(spy, { clock: testClock({ epochMs: Date.UTC(2026, 0, 5) }) })({ url })).rejects.toThrow('status 429')
    expect(errors).toMatchObject([{ code: 'HTTP_STATUS', retry: 'later', retryAfterMs: ms, details: { status: 429 } }])
  })
})

describe('a request is sent', () => {
  test.each(['get', 'put', 'DELETE'])('again when it is a %s', async (method) => {
    const { url, seen } = await busy()
    await expect(thrice({ url, method })).rejects.toMatchObject({ response: { status: 503 } })
    expect(seen).toHaveLength(3)
  })

  test.each<[string, object, number]>([
    ['a POST', { method: 'post', data: 'x' }, 1],
    ['a POST with a key of its own', { method: 'post', data: 'x', headers: { 'Idempotency-Key': 'k' } }, 3],
    ['a POST with the key of its context', { method: 'post', data: 'x', context: createContext({ idempotencyKey: 'k' }) }, 3],
    ['a PUT of bytes', { method: 'put', data: Buffer.from('x') }, 3],
    ['a PUT of a stream', { method: 'put', data: Readable.from(['x']), headers: { 'idempotency-key': 'k' } }, 1],
  ])('as often as it may be: %s', async (_, config, times) => {
    const { url, seen } = await busy()
    await expect(thrice({ url, ...config })).rejects.toMatchObject({ response: { status: 503 } })
    expect(seen.map(({ body }) => body)).toEqual(Array(times).fill('x'))
  })

  test.each<[string, unknown, number]>([
    ['text within the bound', 'abcd', 3],
    ['text above the bound', 'abcde', 1],
    ['text whose bytes are above the bound', 'äöü', 1],
    ['bytes above the bound', Buffer.from('abcde'), 1],
    ['a blob above the bound', new Blob(['abcde']), 1],
    ['a form', new FormData(), 1],
  ])('with a body of %s as often as it may be', async (_, data, times) => {
    const { url, seen } = await busy()
    const bounded = under(retry({ attempts: 3, delayMs: 0 }), { replayMaxBytes: 4 })
    await expect(bounded({ url, method: 'put', data })).rejects.toMatchObject({ response: { status: 503 } })
    expect(seen).toHaveLength(times)
  })

  test('with the headers of its context, those of the caller first, and the caller’s own stay as they were', async () => {
    const { url, seen } = await script(status(200))
    const clock = testClock()
    const headers = { 'X-Correlation-Id': 'mine' }
    const context = createContext({ timeoutMs: 1_500, correlationId: 'c1', clock })
    await under(timeout({ timeoutMs: 700, clock }))({ url, headers, context })
    expect(seen[0]?.headers).toMatchObject({ 'holdfast-deadline-ms': '700', 'x-correlation-id': 'mine' })
    expect(headers).toEqual({ 'X-Correlation-Id': 'mine' })
    await under(policies(), { propagate: false })({ url, context })
    expect(seen[1]?.headers).not.toHaveProperty('holdfast-deadline-ms')
  })
})

describe('an abort', () => {
  test('by a timeout reaches the server', async () => {
    const clock = testClock()
    const gone = moment()
    const { url } = await script((res) => {
      res.once('close', () => gone.come())
      void clock.advance(20)
    })
    await expect(under(timeout({ timeoutMs: 20, clock }))({ url })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await gone.at
  })

  test('of the signal ends the wait for a slot', async () => {
    const { url, seen } = await script(() => {})
    const send = under(bulkhead({ concurrent: 1, queued: 1 }))
    const [first, second] = [new AbortController(), new AbortController()]
    const running = send({ url, signal: first.signal })
    const waiting = send({ url, signal: second.signal })
    second.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    await until(() => seen.length === 1)
    first.abort()
    await expect(running).rejects.toMatchObject({ code: 'ABORTED', effect: 'unknown' })
    expect(seen).toHaveLength(1)
  })
})

test('a permit is held until a streamed response has been read', async () => {
  const { url } = await script(status(200))
  const one = bulkhead({ concurrent: 1, queued: 0 })
  const send = under(one)
  const { data } = await send({ url, responseType: 'stream' })
  await turn()
  expect(one.running).toBe(1)
  expect(await (data as Readable).setEncoding('utf8').toArray()).toEqual(['status 200'])
  await until(() => one.running === 0)
  expect(one.running).toBe(0)
  await send({ url })
  expect(one.running).toBe(0)
})

test('a streamed response that nobody gets is destroyed', async () => {
  const gone = moment()
  const { url } = await script((res) => {
    res.once('close', () => gone.come())
    res.writeHead(503).write('the first of many')
  }, status(200))
  expect(await thrice({ url, responseType: 'stream' })).toMatchObject({ status: 200 })
  await gone.at
})

test('keeps the adapter’s type, and refuses what is no policy or no adapter', () => {
  expectTypeOf(under(policies())).toEqualTypeOf<typeof adapter>()
  // @ts-expect-error no policy
  expect(() => axiosAdapter(undefined, { adapter })).toThrow(/axiosAdapter: each policy must be/)
  // @ts-expect-error no adapter
  expect(() => axiosAdapter(policies(), {})).toThrow(/axiosAdapter: adapter must be a function/)
})
