// The real axios, over loopback. What it answers is compared with what it answers without the adapter wherever that can be said.
import { Readable } from 'node:stream'
import axios, { AxiosError, type AxiosInstance, type AxiosRequestConfig, type AxiosResponse, CanceledError } from 'axios'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  bulkhead,
  circuitBreaker,
  consecutive,
  createContext,
  httpFailures,
  keyed,
  type Policy,
  policies,
  retry,
  timeout,
} from '../../../src/index.ts'
import { axiosAdapter, type ResilientRequestConfig } from '../../../src/integrations/axios/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { close, moment, script, status, turn } from '../http.ts'

const adapter = axios.getAdapter('http')
// A proxy of the machine's must not stand between.
const plain = (config: AxiosRequestConfig = {}): AxiosInstance => axios.create({ proxy: false, ...config })
const under = (policy: Policy, config: AxiosRequestConfig = {}) => plain({ adapter: axiosAdapter(policy, { adapter }), ...config })
const thrice = (config: AxiosRequestConfig = {}) => under(retry({ attempts: 3, delayMs: 0 }), config)
const failed = (call: Promise<unknown>): Promise<AxiosError> =>
  call.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !holds(); turns++) await turn()
  expect(holds()).toBe(true)
}

describe('what the caller gets', () => {
  test('is axios’s response: parsed data, its headers, the caller’s configuration, the request', async () => {
    const { url } = await script(status(200, { 'content-type': 'application/json', 'x-mine': 'a' }, '{"n":1}'))
    const bare = await plain().get(url)
    const { data, headers, config, request, status: code, statusText } = await thrice().get<{ n: number }>(url, { params: { q: 1 } })
    expectTypeOf(data).toEqualTypeOf<{ n: number }>()
    expect([data, code, statusText, headers['x-mine']]).toEqual([{ n: 1 }, 200, bare.statusText, 'a'])
    expect(headers.constructor).toBe(bare.headers.constructor)
    expect([config.params, config.signal, config.url]).toEqual([{ q: 1 }, undefined, url])
    expect(request).toBeInstanceOf(bare.request.constructor)
  })

  test.each([404, 429, 503])('for a %i is the AxiosError of validateStatus, like the one without the adapter', async (code) => {
    const { url } = await script(status(code, { 'content-type': 'application/json' }, '{"why":"x"}'))
    const seen = await Promise.all([failed(plain().get(url)), failed(thrice().get(url))])
    const shape = ({ name, code, message, status, response, config, isAxiosError }: AxiosError) => ({
      name,
      code,
      message,
      status,
      isAxiosError,
      data: response?.data,
      headers: Object.keys(response?.headers ?? {}).sort(),
      url: config?.url,
      sameConfig: response?.config === config,
    })
    expect(seen[1]).toBeInstanceOf(AxiosError)
    expect(shape(seen[1])).toEqual(shape(seen[0]))
  })

  test('is a response where validateStatus accepts it, though policies count it', async () => {
    const { url, seen } = await script(status(503))
    const { status: code } = await thrice({ validateStatus: () => true }).get(url)
    expect([code, seen.length]).toEqual([503, 3])
  })

  test('passes its interceptors, once per call however often it is sent', async () => {
    const { url, seen } = await script(status(503), status(200))
    const client = thrice()
    const passed: string[] = []
    client.interceptors.request.use((config) => {
      passed.push('request')
      config.headers.set('x-mine', 'a')
      return config
    })
    client.interceptors.response.use((response) => {
      passed.push(`response ${response.status}`)
      return response
    })
    await client.get(url)
    expect(passed).toEqual(['request', 'response 200'])
    expect(seen.map(({ headers }) => headers['x-mine'])).toEqual(['a', 'a'])
  })
})

describe('a request is sent', () => {
  test.each<[string, AxiosRequestConfig, number, string]>([
    ['a GET', { method: 'get' }, 3, ''],
    ['a PUT of an object', { method: 'put', data: { a: 1 } }, 3, '{"a":1}'],
    ['a PUT of bytes', { method: 'PUT', data: Buffer.from('ab') }, 3, 'ab'],
    ['a DELETE', { method: 'delete' }, 3, ''],
    ['a PUT of parameters', { method: 'put', data: new URLSearchParams({ a: '1' }) }, 3, 'a=1'],
    ['a POST', { method: 'post', data: { a: 1 } }, 1, '{"a":1}'],
    ['a PATCH', { method: 'patch', data: { a: 1 } }, 1, '{"a":1}'],
    ['a POST with an Idempotency-Key', { method: 'post', data: { a: 1 }, headers: { 'Idempotency-Key': 'k' } }, 3, '{"a":1}'],
    ['a PUT of a stream', { method: 'put', data: Readable.from(['ab']) }, 1, 'ab'],
  ])('as often as it may be: %s', async (_, config, times, body) => {
    const { url, seen } = await script(status(503))
    expect((await failed(thrice().request({ url, ...config }))).response?.status).toBe(503)
    expect(seen.map((request) => request.body)).toEqual(Array(times).fill(body))
  })

  test('with a form’s body once', async () => {
    const { url, seen } = await script(status(503))
    await failed(thrice().put(url, { a: 1 }, { headers: { 'Content-Type': 'multipart/form-data' } }))
    expect(seen).toHaveLength(1)
  })

  test('after a broken connection, and the last error is axios’s own', async () => {
    const { url, seen } = await script((res) => void res.destroy())
    const error = await failed(thrice().get(url))
    expect([error.isAxiosError, error.code, error.config?.url, seen.length]).toEqual([true, 'ECONNRESET', url, 3])
  })

  test('with the context and the keys of its configuration', async () => {
    const { url, seen } = await script(status(503))
    const config: AxiosRequestConfig & ResilientRequestConfig = {
      context: createContext({ idempotencyKey: 'saga/o1/charge', correlationId: 'c1' }),
      keys: { tenant: 't1' },
    }
    const perTenant = keyed(() => retry({ attempts: 2, delayMs: 0 }), { by: 'tenant' })
    await failed(under(perTenant).post(url, {}, config))
    expect(seen.map(({ headers }) => [headers['idempotency-key'], headers['x-correlation-id']])).toEqual(
      Array(2).fill(['saga/o1/charge', 'c1']),
    )
    expect(perTenant.keys()).toEqual(['t1'])
  })

  test.each<[string, AxiosRequestConfig]>([
    ['an unknown protocol', { url: 'ftp://127.0.0.1/' }],
    ['no URL', { url: 'http://[' }],
    ['a header that is none', { headers: { 'a b': 'c' } }],
    ['a method that is none', { method: 'a b' }],
    ['a body above maxBodyLength', { method: 'put', data: 'long', maxBodyLength: 2 }],
  ])('never, and no breaker counts it, when axios refuses it: %s', async (_, config) => {
    const { url, seen } = await script(status(200))
    const breaker = circuitBreaker({ trips: consecutive(1), classify: httpFailures })
    const again = retry({ attempts: 3, delayMs: 0 })
    const [bare, guarded] = await Promise.all([
      failed(plain().request({ url, ...config })),
      failed(under(policies(again, breaker)).request({ url, ...config })),
    ])
    expect([guarded.name, guarded.code, guarded.message]).toEqual([bare.name, bare.code, bare.message])
    expect([breaker.state, again.stats().retried, seen.length]).toEqual(['closed', 0, 0])
  })
})

test('a stream that turns out too long may have been received in part, and policies hear so', async () => {
  const { url } = await script(status(200))
  const heard: unknown[] = []
  const spy = retry({ attempts: 2, delayMs: 0, retryIf: (error) => heard.push(error) < 0 })
  const data = Readable.from([Buffer.alloc(2_000), Buffer.alloc(2_000)])
  const error = await failed(under(spy, { maxBodyLength: 3_000, maxRedirects: 0 }).put(url, data))
  expect(error).toMatchObject({ code: 'ERR_BAD_REQUEST', message: /maxBodyLength/ })
  expect(heard).toMatchObject([{ effect: 'unknown', retry: 'never' }])
})

describe('what counts', () => {
  test.each([
    [200, 'closed'],
    [404, 'closed'],
    [429, 'open'],
    [500, 'open'],
  ])('a %i leaves the breaker %s', async (code, state) => {
    const { url } = await script(status(code))
    const breaker = circuitBreaker({ trips: consecutive(1), classify: httpFailures })
    await under(breaker, { validateStatus: () => true }).get(url)
    expect(breaker.state).toBe(state)
  })

  test('a closed port counts for its host alone, with effect none', async () => {
    const [bad, good] = [await script(status(200)), await script(status(200))]
    await close(bad.server)
    const client = under(keyed(() => circuitBreaker({ trips: consecutive(1) }), { by: 'host' }))
    expect((await failed(client.get(bad.url))).code).toBe('ECONNREFUSED')
    await expect(client.get('/path', { baseURL: bad.url })).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
    expect((await client.get(good.url)).status).toBe(200)
  })

  test('axios’s own timeout counts, and is tried again', async () => {
    const { url } = await script(() => {})
    const breaker = circuitBreaker({ trips: consecutive(2), classify: httpFailures })
    const again = retry({ attempts: 2, delayMs: 0 })
    const error = await failed(under(policies(again, breaker), { timeout: 20 }).get(url))
    expect([error.code, error.isAxiosError, again.stats().retried, breaker.state]).toEqual(['ECONNABORTED', true, 1, 'open'])
  })
})

test.each([
  ['3', 3_000],
  ['Mon, 05 Jan 2026 00:00:10 GMT', 10_000],
])('a retry waits until Retry-After: %s, and no shorter', async (header, ms) => {
  const { url, seen } = await script(status(503, { 'Retry-After': header }), status(200))
  const clock = testClock({ epochMs: Date.UTC(2026, 0, 5) })
  const guarded = axiosAdapter(retry({ attempts: 2, clock }), { adapter, clock })
  const answer = plain({ adapter: guarded }).get(url)
  await until(() => clock.pending === 1)
  await clock.advance(ms - 1)
  expect([seen.length, clock.pending]).toEqual([1, 1])
  await clock.advance(1)
  expect([(await answer).status, seen.length]).toEqual([200, 2])
})

/** A signal as another realm's or a polyfill's: axios takes it, and it is no instance of `AbortSignal`. */
class LookAlike {
  aborted = false
  readonly #listeners = new Set<() => void>()
  addEventListener(_: string, listener: () => void): void {
    this.#listeners.add(listener)
  }
  removeEventListener(_: string, listener: () => void): void {
    this.#listeners.delete(listener)
  }
  abort(): void {
    this.aborted = true
    for (const listener of this.#listeners) listener()
  }
}

describe('an end from outside', () => {
  const ways = ['a signal', 'a cancel token', 'both, by the token', 'a look-alike of a signal'] as const
  function way(kind: (typeof ways)[number]): { readonly config: AxiosRequestConfig; readonly cancel: () => void } {
    const [controller, source] = [new AbortController(), axios.CancelToken.source()]
    if (kind === 'a signal') return { config: { signal: controller.signal }, cancel: () => controller.abort() }
    if (kind === 'a cancel token') return { config: { cancelToken: source.token }, cancel: () => source.cancel('enough') }
    if (kind === 'both, by the token')
      return { config: { signal: controller.signal, cancelToken: source.token }, cancel: () => source.cancel('enough') }
    const signal = new LookAlike()
    return { config: { signal }, cancel: () => signal.abort() }
  }

  test.each(ways)('by %s ends the request under way, reaches the server, and counts nowhere', async (kind) => {
    const gone = moment()
    const { config, cancel } = way(kind)
    const { url, seen } = await script((res) => {
      res.once('close', () => gone.come())
      cancel()
    })
    const breaker = circuitBreaker({ trips: consecutive(1), classify: httpFailures })
    const again = retry({ attempts: 3, delayMs: 0 })
    const error = await failed(under(policies(again, breaker)).get(url, config))
    expect(error).toBeInstanceOf(CanceledError)
    expect(axios.isCancel(error)).toBe(true)
    await gone.at
    expect([seen.length, breaker.state, again.stats().retried]).toEqual([1, 'closed', 0])
  })

  test.each(ways)('by %s ends the wait for the next attempt at once', async (kind) => {
    const { url, seen } = await script(status(503))
    const clock = testClock()
    const { config, cancel } = way(kind)
    const answer = failed(under(retry({ attempts: 3, delayMs: 20_000, clock })).get(url, config))
    await until(() => clock.pending === 1)
    cancel()
    expect(axios.isCancel(await answer)).toBe(true)
    expect([seen.length, clock.pending]).toEqual([1, 0])
  })

  test.each(ways)('by %s ends a stream that is being read', async (kind) => {
    const gone = moment()
    const { url } = await script((res) => {
      res.once('close', () => gone.come())
      res.writeHead(200).write('the first of many')
    })
    const { config, cancel } = way(kind)
    const { data } = await under(policies()).get<Readable>(url, { ...config, responseType: 'stream' })
    const read = data.toArray()
    cancel()
    await expect(read).rejects.toThrow()
    await gone.at
  })

  test('that came before the adapter was asked sends nothing', async () => {
    const { url, seen } = await script(status(200))
    const signal = new LookAlike()
    const config = { url, method: 'get', headers: new axios.AxiosHeaders(), signal }
    signal.abort()
    await expect(axiosAdapter(policies(), { adapter })(config)).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(seen).toHaveLength(0)
  })

  test('leaves no listener behind on a token that lives on', async () => {
    const { url } = await script(status(200))
    const { token } = axios.CancelToken.source()
    const listening = new Set<unknown>()
    const { subscribe, unsubscribe } = token
    token.subscribe = (listener) => {
      listening.add(listener)
      subscribe.call(token, listener)
    }
    token.unsubscribe = (listener) => {
      listening.delete(listener)
      unsubscribe.call(token, listener)
    }
    const client = under(policies())
    await Promise.all([client.get(url, { cancelToken: token }), client.get(url, { cancelToken: token })])
    await until(() => listening.size === 0)
    expect(listening.size).toBe(0)
  })

  test('by the policy’s timeout is TIMEOUT, and reaches the server', async () => {
    const clock = testClock()
    const gone = moment()
    const { url } = await script((res) => {
      res.once('close', () => gone.come())
      void clock.advance(20)
    })
    await expect(under(timeout({ timeoutMs: 20, clock })).get(url)).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
    await gone.at
  })
})

describe('a stream', () => {
  const stream: AxiosRequestConfig = { responseType: 'stream' }

  test.each(['read to its end', 'destroyed'])('holds its slot until it is %s', async (end) => {
    const { url } = await script(status(200, {}, 'x'.repeat(300_000)))
    const one = bulkhead({ concurrent: 1, queued: 0 })
    const client = under(one)
    const { data } = await client.get<Readable>(url, stream)
    await turn()
    expect(one.running).toBe(1)
    await expect(client.get(url)).rejects.toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none' })
    if (end === 'destroyed') data.destroy()
    else expect((await data.setEncoding('utf8').toArray()).join('')).toHaveLength(300_000)
    await until(() => one.running === 0)
    expect((await client.get(url)).status).toBe(200)
  })

  test('of an attempt that nobody gets is destroyed, and the last one’s is the caller’s to read', async () => {
    const gone = moment()
    const { url } = await script(
      (res) => {
        res.once('close', () => gone.come())
        res.writeHead(503).write('the first of many')
      },
      status(503, {}, 'the last'),
    )
    const error = await failed(under(retry({ attempts: 2, delayMs: 0 })).get(url, stream))
    await gone.at
    const { data } = error.response as AxiosResponse<Readable>
    expect((await data.setEncoding('utf8').toArray()).join('')).toBe('the last')
  })
})

test('keeps the type of axios’s adapters, and guards its fetch adapter as well', async () => {
  const guarded = axiosAdapter(retry({ attempts: 3, delayMs: 0 }), { adapter: axios.getAdapter('fetch') })
  expectTypeOf(guarded).toEqualTypeOf<ReturnType<typeof axios.getAdapter>>()
  const { url, seen } = await script(status(503), status(200, { 'content-type': 'application/json' }, '{"n":1}'))
  const { data } = await plain({ adapter: guarded }).get(url)
  expect([data, seen.length]).toEqual([{ n: 1 }, 2])
})
