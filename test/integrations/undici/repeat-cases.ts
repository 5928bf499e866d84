import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, createContext, fallback, hedge, policies, policy, retry } from '../../../src/index.ts'
import { resilientInterceptor } from '../../../src/integrations/undici/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { moment, script, status, turn } from '../http.ts'
import { guardedBy, type Undici } from './agent.ts'

const busy = () => script(status(503))

/** What is sent again and what is not, on whichever undici. */
export function repeatCases(undici: Undici): void {
  const { FormData, fetch, request } = undici
  const guarded = guardedBy(undici)
  const thrice = () => guarded(retry({ attempts: 3, delayMs: 0 }))

  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('%s is sent again after a 503, and the last response is given', async (method) => {
    const { url, seen } = await busy()
    const { statusCode, body } = await request(url, { method, dispatcher: thrice() })
    expect([statusCode, await body.text()]).toEqual([503, method === 'HEAD' ? '' : 'status 503'])
    expect(seen).toHaveLength(3)
  })

  test('stops at the first answer that is no failure', async () => {
    const { url, seen } = await script(status(503), status(429), status(404, { 'x-mine': 'a' }))
    const { statusCode, headers, body } = await request(url, { dispatcher: thrice() })
    expect([statusCode, headers['x-mine'], await body.text()]).toEqual([404, 'a', 'status 404'])
    expect(seen).toHaveLength(3)
  })

  test('a broken connection is sent again, and the last error is undici’s own', async () => {
    const { url, seen } = await script((res) => void res.destroy())
    await expect(request(url, { dispatcher: thrice() })).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    expect(seen).toHaveLength(3)
  })

  test('undici’s fetch is guarded, too', async () => {
    const { url, seen } = await script(status(503), status(200))
    const response = await fetch(url, { dispatcher: thrice() })
    expect([response.status, await response.text(), seen.length]).toEqual([200, 'status 200', 2])
  })

  describe('POST', () => {
    test('is sent once', async () => {
      const { url, seen } = await busy()
      const { statusCode, body } = await request(url, { method: 'POST', body: 'x', dispatcher: thrice() })
      expect([statusCode, await body.text(), seen.length]).toEqual([503, 'status 503', 1])
      expect(seen[0]?.headers).not.toHaveProperty('idempotency-key')
    })

    test.each([
      ['a record', { 'Idempotency-Key': 'k1', 'x-mine': '1' }],
      ['a flat list', ['Idempotency-Key', 'k1', 'x-mine', '1']],
      [
        'pairs',
        new Map([
          ['Idempotency-Key', 'k1'],
          ['x-mine', '1'],
        ]),
      ],
    ])('is sent again with an Idempotency-Key among headers given as %s', async (_, headers) => {
      const { url, seen } = await busy()
      const run = { dispatcher: thrice(), context: createContext({ timeoutMs: 60_000 }) }
      await (await request(url, { method: 'POST', body: 'x', headers, ...run })).body.dump()
      expect(seen.map(({ headers: h }) => [h['idempotency-key'], h['x-mine'], h['holdfast-deadline-ms'] !== undefined])).toEqual(
        Array(3).fill(['k1', '1', true]),
      )
    })

    test('is sent again with the key of its context, the same each time', async () => {
      const { url, seen } = await busy()
      const run = { dispatcher: thrice(), context: createContext({ idempotencyKey: 'saga/o1/charge' }) }
      await (await request(url, { method: 'POST', body: 'x', ...run })).body.dump()
      expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(3).fill('saga/o1/charge'))
    })

    test('is sent once, whatever retryIf says, and a broken connection is undici’s own error', async () => {
      const { url, seen } = await script((res) => void res.destroy())
      const dispatcher = guarded(retry({ attempts: 3, delayMs: 0, retryIf: () => true }))
      await expect(request(url, { method: 'POST', body: 'x', dispatcher })).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
      expect(seen).toHaveLength(1)
    })
  })

  describe('a body', () => {
    const form = new FormData()
    form.set('a', '1')
    test.each([
      ['text', 'abcd', 3],
      ['bytes', new TextEncoder().encode('abcd'), 3],
      ['text above the bound', 'abcde', 1],
      ['text whose bytes are above the bound', 'äöü', 1],
      ['a stream', () => Readable.from(['abcd']), 1],
      ['a form', form, 1],
    ])('of %s is replayed only where it is bytes within the bound', async (_, body, times) => {
      const { url, seen } = await busy()
      const dispatcher = guarded(retry({ attempts: 3, delayMs: 0 }), { replayMaxBytes: 4 })
      const answer = await request(url, { method: 'PUT', body: typeof body === 'function' ? body() : body, dispatcher })
      expect([answer.statusCode, await answer.body.text()]).toEqual([503, 'status 503'])
      expect(seen).toHaveLength(times)
      expect(new Set(seen.map(({ body }) => body)).size).toBe(1)
    })
  })

  test('only one answer of a hedged request is given, and the other is let go', async () => {
    const held: Array<() => void> = []
    const { url } = await script(
      (res) => void held.push(() => res.end('slow')),
      (res) => void res.end('fast'),
    )
    const clock = testClock()
    const one = bulkhead({ concurrent: 2 })
    const answer = request(url, { dispatcher: guarded(policies(hedge({ delayMs: 5, clock }), one)) })
    while (held.length === 0) await clock.advance(0)
    await clock.advance(5)
    const { body } = await answer
    expect(await body.text()).toBe('fast')
  })

  test('an answer that is no response to the request is refused', async () => {
    const { url } = await busy()
    // @ts-expect-error a recovery is not a policy
    const dispatcher = guarded(policies(fallback('x')))
    await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: /other than a response/ })
  })

  test('a request that undici refuses is refused by undici, once, and counts nowhere', async () => {
    const { url } = await busy()
    const retried: unknown[] = []
    const plain = retry({ attempts: 3, delayMs: 0 })
    plain.on('retried', (event) => retried.push(event))
    const breaker = circuitBreaker({ trips: consecutive(1) })
    const dispatcher = guarded(policies(plain, breaker))
    await expect(request(url, { dispatcher, headers: { 'a b': 'c' } })).rejects.toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
    expect([retried, breaker.state]).toEqual([[], 'closed'])
  })

  test('refuses what is no policy, options it does not know, and the handlers of an older undici', () => {
    // @ts-expect-error no policy
    expect(() => resilientInterceptor(undefined)).toThrow(/resilientInterceptor: each policy must be/)
    // @ts-expect-error an unknown option
    expect(() => resilientInterceptor(policies(), { replay: 1 })).toThrow(/unknown option replay/)
    const dispatch = resilientInterceptor(policies())((_: object, __: object) => true)
    expect(() => dispatch({ path: '/', method: 'GET' }, {})).toThrow(/version 7 or newer/)
  })

  test('a response that nobody gets is aborted before the next is asked for', async () => {
    const gone = moment()
    const { url } = await script(
      (res) => {
        res.once('close', () => gone.come())
        res.writeHead(503).write('the first of many')
      },
      (res) => void gone.at.then(() => res.end('fine')),
    )
    const { statusCode, body } = await request(url, { dispatcher: thrice() })
    expect([statusCode, await body.text()]).toEqual([200, 'fine'])
  })

  test('a long response stands still while the policy has not answered, and is whole afterwards', async () => {
    const slow = policy('slow', (next) => async (input, ctx) => {
      const reply = await next(input, ctx)
      for (let turns = 0; turns < 500; turns++) await turn()
      return reply
    })
    const { url } = await script(status(200, {}, 'x'.repeat(8_000_000)))
    const { statusCode, body } = await request(url, { dispatcher: guarded(slow) })
    expect([statusCode, (await body.text()).length]).toEqual([200, 8_000_000])
  })
}
