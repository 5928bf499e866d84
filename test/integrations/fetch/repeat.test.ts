import { describe, expect, test } from 'vitest'
import { circuitBreaker, consecutive, createContext, policies, policy, retry, timeout } from '../../../src/index.ts'
import { resilientFetch } from '../../../src/integrations/fetch/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { moment, script, status } from '../http.ts'

const thrice = resilientFetch(retry({ attempts: 3, delayMs: 0 }))
const busy = () => script(status(503))

test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('%s is sent again after a 503, and the last response is given', async (method) => {
  const { url, seen } = await busy()
  expect((await thrice(url, { method })).status).toBe(503)
  expect(seen).toHaveLength(3)
})

test('stops at the first answer that is no failure', async () => {
  const { url, seen } = await script(status(503), status(429), status(404))
  const response = await thrice(url)
  expect([response.status, await response.text()]).toEqual([404, 'status 404'])
  expect(seen).toHaveLength(3)
})

describe('POST and PATCH', () => {
  test.each(['POST', 'PATCH'])('%s is sent once', async (method) => {
    const { url, seen } = await busy()
    const response = await thrice(url, { method, body: 'x' })
    expect([response.status, await response.text()]).toEqual([503, 'status 503'])
    expect(seen).toHaveLength(1)
    expect(seen[0]?.headers).not.toHaveProperty('idempotency-key')
  })

  test('is sent again with an Idempotency-Key header', async () => {
    const { url, seen } = await busy()
    await thrice(url, { method: 'POST', body: 'x', headers: { 'Idempotency-Key': 'k1' } })
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['k1', 'k1', 'k1'])
  })

  test('is sent again with the key of its context, the same each time', async () => {
    const { url, seen } = await busy()
    await thrice(url, { method: 'POST', body: 'x', context: createContext({ idempotencyKey: 'saga/o1/charge' }) })
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(3).fill('saga/o1/charge'))
  })

  test('is sent once under a context whose key nobody chose', async () => {
    const { url, seen } = await busy()
    const context = createContext()
    expect(context.idempotencyKey).not.toBe('')
    await thrice(url, { method: 'POST', body: 'x', context })
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined])
  })

  test('is sent once, whatever retryIf says', async () => {
    const { url, seen } = await busy()
    const stubborn = resilientFetch(retry({ attempts: 3, delayMs: 0, retryIf: () => true }))
    expect((await stubborn(url, { method: 'POST', body: 'x' })).status).toBe(503)
    expect(seen).toHaveLength(1)
  })

  test('is sent once when it timed out inside a retry, and the caller gets the timeout', async () => {
    const clock = testClock()
    const { url, seen } = await script(() => void clock.advance(20))
    const impatient = resilientFetch(policies(retry({ attempts: 3, delayMs: 0 }), timeout({ timeoutMs: 20, clock })))
    await expect(impatient(url, { method: 'POST', body: 'x' })).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(seen).toHaveLength(1)
  })
})

describe('a body', () => {
  const form = new FormData()
  form.set('a', '1')
  const longForm = new FormData()
  longForm.set('a', new Blob(['bcde']))
  test.each<[string, NonNullable<RequestInit['body']>, string]>([
    ['text', 'a=1', 'a=1'],
    ['bytes', new TextEncoder().encode('a=1'), 'a=1'],
    ['a buffer', new TextEncoder().encode('a=1').buffer, 'a=1'],
    ['URLSearchParams', new URLSearchParams({ a: '1' }), 'a=1'],
    ['a Blob', new Blob(['a=1']), 'a=1'],
    ['FormData', form, 'name="a"'],
  ])('of %s is replayed', async (_, body, sent) => {
    const { url, seen } = await busy()
    await thrice(url, { method: 'PUT', body })
    expect(seen.map(({ body }) => body.includes(sent))).toEqual([true, true, true])
  })

  test.each<[string, NonNullable<RequestInit['body']>, number]>([
    ['text', 'abcd', 3],
    ['text above the bound', 'abcde', 1],
    ['text whose bytes are above the bound', 'äöü', 1],
    ['bytes above the bound', new TextEncoder().encode('abcde'), 1],
    ['parameters', new URLSearchParams({ a: 'bc' }), 3],
    ['parameters above the bound', new URLSearchParams({ a: 'ä' }), 1],
    ['a Blob above the bound', new Blob(['abcde']), 1],
    ['a form', form, 3],
    ['a form above the bound', longForm, 1],
  ])('of %s is replayed within the bound only', async (_, body, times) => {
    const { url, seen } = await busy()
    const bounded = resilientFetch(retry({ attempts: 3, delayMs: 0 }), { replayMaxBytes: 4 })
    const response = await bounded(url, { method: 'PUT', body, headers: { 'idempotency-key': 'k' } })
    expect([response.status, seen.length]).toEqual([503, times])
  })

  test('of a mebibyte is replayed, a larger one is not', async () => {
    const { url, seen } = await busy()
    await thrice(url, { method: 'PUT', body: 'x'.repeat(1_048_576) })
    expect(seen).toHaveLength(3)
    await thrice(url, { method: 'PUT', body: 'x'.repeat(1_048_577) })
    expect(seen).toHaveLength(4)
  })

  test('that is a stream is sent once, also with a key and an idempotent method', async () => {
    const { url, seen } = await busy()
    const body = new Blob(['streamed']).stream()
    const response = await thrice(url, { method: 'PUT', body, duplex: 'half', headers: { 'idempotency-key': 'k' } })
    expect(response.status).toBe(503)
    expect(seen.map(({ body }) => body)).toEqual(['streamed'])
  })

  test('of a Request is a stream', async () => {
    const { url, seen } = await busy()
    await thrice(new Request(url, { method: 'PUT', body: 'x' }))
    expect(seen.map(({ method, body }) => [method, body])).toEqual([['PUT', 'x']])
  })

  test('that replaces the one of a Request is replayed, with its method and headers', async () => {
    const { url, seen } = await busy()
    await thrice(new Request(url, { method: 'PUT', headers: { 'x-mine': '1' } }), { body: 'y' })
    expect(seen.map(({ method, body, headers }) => [method, body, headers['x-mine']])).toEqual(Array(3).fill(['PUT', 'y', '1']))
  })
})

test('a Request without a body is sent again', async () => {
  const { url, seen } = await busy()
  await thrice(new Request(url, { headers: { 'x-mine': '1' } }))
  expect(seen.map(({ headers }) => headers['x-mine'])).toEqual(['1', '1', '1'])
})

describe('options that are no plain object', () => {
  test('of a Request count, as with fetch: its method, its headers, its body, sent once', async () => {
    const { url, seen } = await busy()
    const former = new Request('http://elsewhere.example/', { method: 'PUT', headers: { 'x-mine': '1' }, body: 'x' })
    expect((await thrice(url, former)).status).toBe(503)
    expect(seen.map(({ method, headers, body }) => [method, headers['x-mine'], body])).toEqual([['PUT', '1', 'x']])
  })

  test('may be inherited', async () => {
    const { url, seen } = await script(status(200))
    await thrice(url, Object.create({ method: 'DELETE' }))
    expect(seen.map(({ method }) => method)).toEqual(['DELETE'])
  })

  test('are none where they are null, and refused by fetch where they are no object', async () => {
    const { url, seen } = await script(status(200))
    expect((await thrice(url, null as never)).status).toBe(200)
    for (const init of [5, 'x', true]) {
      const expected = await fetch(url, init as never).catch(String)
      await expect(thrice(url, init as never).catch(String)).resolves.toBe(expected)
    }
    expect(seen).toHaveLength(1)
  })
})

test('a Request that was used up is refused by fetch', async () => {
  const { url, seen } = await busy()
  const used = new Request(url, { method: 'PUT', body: 'x' })
  await used.text()
  const breaker = circuitBreaker({ trips: consecutive(1) })
  await expect(resilientFetch(breaker)(used)).rejects.toThrow(TypeError)
  expect([seen.length, breaker.state]).toEqual([0, 'closed'])
})

test('responses that nobody gets are cancelled', async () => {
  const log: string[] = []
  const endless = (name: string) => {
    log.push(`${name} sent`)
    return new Response(new ReadableStream({ cancel: () => void log.push(`${name} cancelled`) }), { status: 503 })
  }
  const answers = [() => endless('first'), () => endless('second'), () => new Response('fine')]
  const guarded = resilientFetch(retry({ delayMs: 0 }), { fetch: async () => (answers.shift() as () => Response)() })
  expect(await (await guarded('http://127.0.0.1:9/')).text()).toBe('fine')
  expect(log).toEqual(['first sent', 'first cancelled', 'second sent', 'second cancelled'])
})

test('a response that comes after the caller was answered is cancelled', async () => {
  const cancelled = moment()
  const late = moment<Response>()
  const clock = testClock()
  const guarded = resilientFetch(timeout({ timeoutMs: 1, clock }), { fetch: () => late.at })
  const answer = expect(guarded('http://127.0.0.1:9/')).rejects.toMatchObject({ code: 'TIMEOUT' })
  await clock.advance(1)
  await answer
  late.come(new Response(new ReadableStream({ cancel: () => cancelled.come() })))
  await cancelled.at
})

test('so is one that comes after a policy has answered by itself, which aborts nothing', async () => {
  const cancelled = moment()
  const late = moment<Response>()
  const hasty = policy('hasty', (next) => (input, ctx) => {
    void next(input, ctx).catch(() => {})
    return Promise.reject(new Error('no patience'))
  })
  await expect(resilientFetch(hasty, { fetch: () => late.at })('http://127.0.0.1:9/')).rejects.toThrow('no patience')
  late.come(new Response(new ReadableStream({ cancel: () => cancelled.come() })))
  await cancelled.at
})
