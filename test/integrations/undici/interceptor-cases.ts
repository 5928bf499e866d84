import type { Dispatcher } from 'undici'
import { describe, expect, test } from 'vitest'
import {
  bulkhead,
  circuitBreaker,
  consecutive,
  createContext,
  type HoldfastError,
  keyed,
  policies,
  policy,
  retry,
  timeout,
} from '../../../src/index.ts'
import { resilientInterceptor } from '../../../src/integrations/undici/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { close, moment, script, status, turn } from '../http.ts'
import { guardedBy, type Undici } from './agent.ts'

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !holds(); turns++) await turn()
}

/** What a request under the interceptor promises, on whichever undici. */
export function interceptorCases(undici: Undici): void {
  const { request } = undici
  const guarded = guardedBy(undici)

  describe('what counts', () => {
    test.each([
      [200, 'closed'],
      [304, 'closed'],
      [404, 'closed'],
      [429, 'open'],
      [500, 'open'],
      [503, 'open'],
    ])('a %i leaves the breaker %s, and the caller gets it as a response', async (code, state) => {
      const { url } = await script(status(code))
      const breaker = circuitBreaker({ trips: consecutive(1) })
      const { statusCode, body } = await request(url, { dispatcher: guarded(breaker) })
      expect([statusCode, await body.text(), breaker.state]).toEqual([code, code === 304 ? '' : `status ${code}`, state])
    })

    test('a network error counts, and an open breaker sends nothing', async () => {
      const { url, server } = await script(status(200))
      await close(server)
      const breaker = circuitBreaker({ trips: consecutive(1) })
      const dispatcher = guarded(breaker)
      await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
    })

    test('counts for its host alone under a policy keyed by host', async () => {
      const [bad, good] = [await script(status(500)), await script(status(200))]
      const dispatcher = guarded(keyed(() => circuitBreaker({ trips: consecutive(1) }), { by: 'host' }))
      await (await request(bad.url, { dispatcher })).body.dump()
      await expect(request(bad.url, { dispatcher })).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
      const { statusCode, body } = await request(good.url, { dispatcher })
      expect([statusCode, await body.text()]).toEqual([200, 'status 200'])
    })

    test.each([
      ['Mon, 05 Jan 2026 00:00:10 GMT', 10_000],
      ['2', 2_000],
      ['soon', undefined],
    ])('policies see Retry-After: %s as %s ms, with the status', async (header, ms) => {
      const { url } = await script(status(429, { 'retry-after': header }))
      const errors: HoldfastError[] = []
      const spy = retry({ delayMs: 0, retryIf: (error) => errors.push(error as HoldfastError) < 0 })
      const dispatcher = guarded(spy, { clock: testClock({ epochMs: Date.UTC(2026, 0, 5) }) })
      await (await request(url, { dispatcher })).body.dump()
      expect(errors).toMatchObject([{ code: 'HTTP_STATUS', retry: 'later', details: { status: 429 } }])
      expect(errors[0]?.retryAfterMs).toBe(ms)
    })
  })

  describe('a permit is held', () => {
    async function slot(answer: Parameters<typeof script>[0] = status(200)) {
      const { url, seen } = await script(answer)
      const one = bulkhead({ concurrent: 1, queued: 0 })
      return { url, seen, one, dispatcher: guarded(one) }
    }

    test('until the body has been read to its end', async () => {
      const { url, one, dispatcher } = await slot(status(200, {}, 'x'.repeat(300_000)))
      const { body } = await request(url, { dispatcher })
      await turn()
      expect(one.running).toBe(1)
      await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'BULKHEAD_FULL' })
      expect(await body.text()).toHaveLength(300_000)
      await until(() => one.running === 0)
      expect(one.running).toBe(0)
    })

    test('until the body is destroyed', async () => {
      const { url, one, dispatcher } = await slot((res) => void res.writeHead(200).write('the first of many'))
      const { body } = await request(url, { dispatcher })
      await turn()
      expect(one.running).toBe(1)
      body.on('error', () => {}).destroy()
      await until(() => one.running === 0)
      expect(one.running).toBe(0)
    })

    test('until the body fails', async () => {
      const { url, one, dispatcher } = await slot((res) => {
        res.writeHead(200, { 'content-length': '100' }).write('half')
        setImmediate(() => res.destroy())
      })
      const { body } = await request(url, { dispatcher })
      await expect(body.text()).rejects.toThrow()
      await until(() => one.running === 0)
      expect(one.running).toBe(0)
    })

    test('not beyond the answer for a 503, so that a retry outside the bulkhead can have it', async () => {
      const { url, one, seen } = await slot(status(503))
      const { statusCode, body } = await request(url, { dispatcher: guarded(policies(retry({ attempts: 3, delayMs: 0 }), one)) })
      expect([statusCode, seen.length, one.running]).toEqual([503, 3, 0])
      await body.dump()
    })
  })

  describe('the context', () => {
    test('goes out as headers, the tighter deadline first, and those of the caller stay', async () => {
      const { url, seen } = await script(status(200))
      const clock = testClock()
      const run = {
        context: createContext({ timeoutMs: 1_500, correlationId: 'c1', clock }),
        dispatcher: guarded(timeout({ timeoutMs: 700, clock })),
      }
      await (await request(url, { headers: { 'x-correlation-id': 'mine' }, ...run })).body.dump()
      expect(seen[0]?.headers).toMatchObject({ 'holdfast-deadline-ms': '700', 'x-correlation-id': 'mine' })
      expect(seen[0]?.headers).not.toHaveProperty('idempotency-key')
    })

    test('is not sent to strangers', async () => {
      const { url, seen } = await script(status(200))
      const run = { context: createContext({ timeoutMs: 1_500 }), dispatcher: guarded(policies(), { propagate: false }) }
      await (await request(url, run)).body.dump()
      expect(seen[0]?.headers).not.toHaveProperty('holdfast-deadline-ms')
    })

    test('carries keys', async () => {
      const { url } = await script(status(200))
      const seen: unknown[] = []
      const spy = policy('spy', (next) => (input, ctx) => {
        seen.push(ctx.keys)
        return next(input, ctx)
      })
      const run = { keys: { tenant: 't1' }, dispatcher: guarded(spy) }
      await (await request(url, run)).body.dump()
      expect(seen).toEqual([{ host: new URL(url).host, tenant: 't1' }])
    })

    test('ends the request when a timeout fires, and the caller hears of it at once', async () => {
      const clock = testClock()
      const gone = moment()
      const { url } = await script((res) => {
        res.once('close', () => gone.come())
        void clock.advance(20)
      })
      await expect(request(url, { dispatcher: guarded(timeout({ timeoutMs: 20, clock })) })).rejects.toMatchObject({ code: 'TIMEOUT' })
      await gone.at
    })

    test('lets a body last longer than the timeout that its headers had to meet', async () => {
      const clock = testClock()
      let finish = (): void => {}
      const { url } = await script((res) => {
        res.writeHead(200).write('first, ')
        finish = () => void res.end('last')
      })
      const { body } = await request(url, { dispatcher: guarded(timeout({ timeoutMs: 100, clock })) })
      await clock.advance(1_000)
      finish()
      expect(await body.text()).toBe('first, last')
    })
  })

  describe('an abort of the request’s signal', () => {
    test('rejects with its reason, and reaches the server', async () => {
      const gone = moment()
      const abort = new AbortController()
      const { url } = await script((res) => {
        res.once('close', () => gone.come())
        abort.abort(new Error('enough'))
      })
      await expect(request(url, { signal: abort.signal, dispatcher: guarded(retry()) })).rejects.toThrow('enough')
      await gone.at
    })

    test('ends the wait for a slot, and nothing is sent', async () => {
      const { url, seen } = await script((res) => void res.writeHead(200).write('held'))
      const one = bulkhead({ concurrent: 1, queued: 1 })
      const dispatcher = guarded(one)
      const { body } = await request(url, { dispatcher })
      const abort = new AbortController()
      const second = request(url, { signal: abort.signal, dispatcher })
      abort.abort(new Error('enough'))
      await expect(second).rejects.toThrow('enough')
      expect(seen).toHaveLength(1)
      body.on('error', () => {}).destroy()
    })

    test('ends a body that is being read', async () => {
      const gone = moment()
      const { url } = await script((res) => {
        res.once('close', () => gone.come())
        res.writeHead(503).write('the first of many')
      })
      const abort = new AbortController()
      const { body } = await request(url, { signal: abort.signal, dispatcher: guarded(policies()) })
      abort.abort(new Error('enough'))
      await expect(body.text()).rejects.toThrow('enough')
      await gone.at
    })
  })

  test('a CONNECT and an upgrade pass through', () => {
    const seen: unknown[] = []
    const dispatch = resilientInterceptor(bulkhead({ concurrent: 1, queued: 0 }))(
      (request: Dispatcher.DispatchOptions, _: object) => seen.push(request) > 0,
    )
    const upgrade: Dispatcher.DispatchOptions = { path: '/', method: 'GET', upgrade: 'websocket' }
    const connect: Dispatcher.DispatchOptions = { path: '/', method: 'CONNECT' }
    for (const options of [upgrade, connect]) dispatch(options, {})
    expect(seen).toEqual([upgrade, connect])
  })
}
