import { describe, expect, expectTypeOf, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, type HoldfastError, policies, policy, retry, timeout } from '../../../src/index.ts'
import { resilientFetch } from '../../../src/integrations/fetch/index.ts'
import { close, script, status } from '../http.ts'

const once = policies()

describe('what counts', () => {
  test.each([
    [200, 'closed'],
    [304, 'closed'],
    [404, 'closed'],
    [409, 'closed'],
    [429, 'open'],
    [500, 'open'],
    [503, 'open'],
  ])('a %i leaves the breaker %s, and the caller gets it as a response', async (code, state) => {
    const { url } = await script(status(code))
    const breaker = circuitBreaker({ trips: consecutive(1) })
    const response = await resilientFetch(breaker)(url)
    expect(response.status).toBe(code)
    expect(await response.text()).toBe(code === 304 ? '' : `status ${code}`)
    expect(breaker.state).toBe(state)
  })

  test('a network error counts, and the caller gets it as from fetch', async () => {
    const { url, server } = await script(status(200))
    await close(server)
    const breaker = circuitBreaker({ trips: consecutive(1) })
    await expect(resilientFetch(breaker)(url)).rejects.toThrow(TypeError)
    expect(breaker.state).toBe('open')
    await expect(resilientFetch(breaker)(url)).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
  })

  test('a network error on a request that must not be repeated is the same error to the caller, and counts', async () => {
    const { url, seen } = await script((res) => res.destroy())
    const breaker = circuitBreaker({ trips: consecutive(1) })
    await expect(resilientFetch(policies(retry({ delayMs: 0 }), breaker))(url, { method: 'POST', body: 'x' })).rejects.toThrow(TypeError)
    expect(breaker.state).toBe('open')
    expect(seen).toHaveLength(1)
  })

  test.each<[string, string, RequestInit]>([
    ['a URL that is none', 'not a url', {}],
    ['a GET with a body', 'http://127.0.0.1:9/', { body: 'x' }],
    ['a method that is none', 'http://127.0.0.1:9/', { method: 'a b' }],
    ['a header that is none', 'http://127.0.0.1:9/', { headers: { 'a b': 'c' } }],
  ])('%s is refused by fetch, and no policy hears of it', async (_, url, init) => {
    let calls = 0
    const spy = policy('spy', (next) => (input, ctx) => {
      calls += 1
      return next(input, ctx)
    })
    await expect(resilientFetch(spy)(url, init)).rejects.toThrow(TypeError)
    expect(calls).toBe(0)
  })
})

describe('what policies see', () => {
  const seenBy = (errors: HoldfastError[]) => retry({ delayMs: 0, retryIf: (error) => errors.push(error as HoldfastError) < 0 })

  test('is an error with the status, the response and what Retry-After asked for', async () => {
    const { url } = await script(status(503, { 'retry-after': '7' }))
    const errors: HoldfastError[] = []
    const response = await resilientFetch(seenBy(errors))(url)
    expect(errors).toMatchObject([
      { code: 'HTTP_STATUS', effect: 'unknown', retry: 'later', retryAfterMs: 7_000, details: { status: 503 } },
    ])
    expect(errors[0]).toHaveProperty('details.response', response)
  })

  test('says never for a request that must not be repeated', async () => {
    const { url } = await script(status(503))
    const errors: HoldfastError[] = []
    await resilientFetch(seenBy(errors))(url, { method: 'POST' })
    expect(errors).toMatchObject([{ code: 'HTTP_STATUS', retry: 'never' }])
  })

  test.each([
    ['Mon, 05 Jan 2026 00:00:10 GMT', 10_000],
    ['Monday, 05-Jan-26 00:00:10 GMT', 10_000],
    ['Sun, 04 Jan 2026 00:00:00 GMT', 0],
    ['0', 0],
    ['2', 2_000],
    [' 2 ', 2_000],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['Mon, nonsense', undefined],
  ])('Retry-After: %s means %s ms', async (header, ms) => {
    const { url } = await script(status(429, { 'retry-after': header }))
    const clock = { nowMs: () => 0, epochMs: () => Date.UTC(2026, 0, 5), setTimer: () => ({ clear() {} }) }
    const errors: HoldfastError[] = []
    await resilientFetch(seenBy(errors), { clock })(url)
    expect(errors[0]?.retryAfterMs).toBe(ms)
  })

  test('are keys with the host, and those of the caller', async () => {
    const { url } = await script(status(200))
    const seen: unknown[] = []
    const spy = policy('spy', (next) => (input, ctx) => {
      seen.push(ctx.keys)
      return next(input, ctx)
    })
    await resilientFetch(spy)(`${url}/path`, { keys: { tenant: 't1' } })
    expect(seen).toEqual([{ host: new URL(url).host, tenant: 't1' }])
  })
})

test('refuses at construction what is no policy, and options it does not know', () => {
  // @ts-expect-error no policy
  expect(() => resilientFetch(undefined)).toThrow(/resilientFetch: each policy must be/)
  // @ts-expect-error an unknown option
  expect(() => resilientFetch(once, { fetsch: fetch })).toThrow(/unknown option fetsch/)
})

test('sends by globalThis.fetch as it is when called, or by the one handed in', async () => {
  const former = globalThis.fetch
  const guarded = resilientFetch(once)
  globalThis.fetch = async () => new Response('stubbed')
  try {
    expect(await (await guarded('http://127.0.0.1:9/')).text()).toBe('stubbed')
  } finally {
    globalThis.fetch = former
  }
  expect(await (await resilientFetch(once, { fetch: async () => new Response('mine') })('http://127.0.0.1:9/')).text()).toBe('mine')
})

test('is assignable to fetch', () => {
  const guarded = resilientFetch(policies(retry(), circuitBreaker(), bulkhead(), timeout({ timeoutMs: 1 })))
  expectTypeOf(guarded).toMatchTypeOf<(input: string | URL | Request, init?: RequestInit) => Promise<Response>>()
})
