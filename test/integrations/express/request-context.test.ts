import express, { type Request } from 'express'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { ambientContext, bulkhead, type Context, enableAmbient, policies, timeout } from '../../../src/index.ts'
import { contextOf, problemDetails, requestContext } from '../../../src/integrations/express/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { moment } from '../http.ts'
import { serve } from './app.ts'

const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: 1 }
const traceparent = `00-${trace.traceId}-${trace.spanId}-01`

/** The context that one request with these headers was given. */
async function contextFor(headers: Record<string, string>, options?: Parameters<typeof requestContext>[0]): Promise<Context> {
  const seen = moment<Context>()
  const url = await serve((app) => {
    app.use(requestContext(options))
    app.get('/', (req, res) => {
      seen.come(contextOf(req))
      res.end()
    })
  })
  await (await fetch(url, { headers })).text()
  return seen.at
}

describe('the context of a request', () => {
  test('has what its headers say', async () => {
    const context = await contextFor({ traceparent, 'Idempotency-Key': '"k1"', 'x-correlation-id': 'c1' })
    expect(context).toMatchObject({ trace, idempotencyKey: 'k1', correlationId: 'c1', tenant: undefined })
    expect(context.remainingMs).toBe(Number.POSITIVE_INFINITY)
  })

  test.each([
    [{}, undefined, Number.POSITIVE_INFINITY],
    [{ 'holdfast-deadline-ms': '1500' }, undefined, 1_500],
    [{ 'holdfast-deadline-ms': '1500' }, 700, 700],
    [{ 'holdfast-deadline-ms': '500' }, 700, 500],
    [{ 'holdfast-deadline-ms': '0' }, 700, 0],
    [{ 'holdfast-deadline-ms': 'soon' }, 700, 700],
  ])('with %j and a limit of %s ms has %s ms left', async (headers, timeoutMs, left) => {
    const clock = testClock()
    const context = await contextFor(headers as Record<string, string>, { clock, ...(timeoutMs !== undefined && { timeoutMs }) })
    expect(context.remainingMs).toBe(left)
  })

  test('has the tenant, where it is one text', async () => {
    const tenant = (req: { readonly headers: Readonly<Record<string, string | string[] | undefined>> }) => req.headers['x-tenant']
    expect((await contextFor({ 'x-tenant': 'acme' }, { tenant })).tenant).toBe('acme')
    expect((await contextFor({}, { tenant })).tenant).toBeUndefined()
    expect((await contextFor({ 'x-tenant': 'x'.repeat(201) }, { tenant })).tenant).toBeUndefined()
    expect((await contextFor({}, { tenant: () => ['a', 'b'] })).tenant).toBeUndefined()
  })

  test('ignores what is malformed, and says so to whoever asked', async () => {
    const ignored: string[] = []
    const context = await contextFor({ traceparent: 'x', 'idempotency-key': 'a b' }, { ignored: (name) => ignored.push(name) })
    expect(context.trace).toBeUndefined()
    expect(ignored).toEqual(['traceparent', 'idempotency-key'])
  })

  test('takes an idempotency key of the greatest length', async () => {
    expect((await contextFor({ 'idempotency-key': 'k'.repeat(255) })).idempotencyKey).toBe('k'.repeat(255))
  })

  test('is req.context, too', async () => {
    const url = await serve((app) => {
      app.use(requestContext())
      app.get('/', (req, res) => void res.json((req as Request & { context: Context }).context === contextOf(req)))
    })
    expect(await (await fetch(url)).json()).toBe(true)
  })
})

describe('its signal', () => {
  test('aborts when the client goes away before it has its answer', async () => {
    const aborted = moment<unknown>()
    const arrived = moment()
    const url = await serve((app) => {
      app.use(requestContext())
      app.get('/', (req) => {
        const { signal } = contextOf(req)
        signal.addEventListener('abort', () => aborted.come(signal.reason))
        arrived.come()
      })
    })
    const client = new AbortController()
    const call = fetch(url, { signal: client.signal }).catch(() => {})
    await arrived.at
    client.abort()
    await call
    expect(await aborted.at).toMatchObject({ code: 'ABORTED', message: 'the client went away' })
  })

  test('does not abort when the answer was given, and leaves no timer', async () => {
    const clock = testClock()
    const ended = moment<Context>()
    const url = await serve((app) => {
      app.use(requestContext({ clock, timeoutMs: 60_000 }))
      app.get('/', (req, res) => {
        const context = contextOf(req)
        expect(context.signal.aborted).toBe(false)
        expect(clock.pending).toBe(1)
        res.once('close', () => setImmediate(() => ended.come(context)))
        res.end('done')
      })
    })
    await (await fetch(url)).text()
    const context = await ended.at
    expect([context.signal.aborted, clock.pending]).toEqual([false, 0])
  })

  test('ends what runs under it: the slot is free again', async () => {
    const slot = bulkhead({ concurrent: 1 })
    const freed = moment()
    const arrived = moment()
    const url = await serve((app) => {
      app.use(requestContext())
      app.get('/', (req, res, next) => {
        const task = ({ signal }: Context) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
            arrived.come()
          })
        slot.run(task, { context: contextOf(req) }).then(() => res.end(), next)
      })
      app.use((_error: unknown, _req: unknown, _res: unknown, _next: unknown) => setImmediate(() => freed.come()))
    })
    const client = new AbortController()
    const call = fetch(url, { signal: client.signal }).catch(() => {})
    await arrived.at
    expect(slot.running).toBe(1)
    client.abort()
    await call
    await freed.at
    expect(slot.running).toBe(0)
  })
})

test('a deadline that has passed at the caller is a 504 here, and nothing is begun', async () => {
  let begun = 0
  const url = await serve((app) => {
    app.use(requestContext())
    app.get('/', (req, res, next) => {
      const task = async () => {
        begun += 1
      }
      policies(timeout({ timeoutMs: 1_000 }))
        .run(task, { context: contextOf(req) })
        .then(() => res.end(), next)
    })
    app.use(problemDetails())
  })
  expect((await fetch(url, { headers: { 'holdfast-deadline-ms': '0' } })).status).toBe(504)
  expect(begun).toBe(0)
})

test('what comes after it runs inside the context where ambient contexts are on', async () => {
  enableAmbient()
  const url = await serve((app) => {
    app.use(requestContext(), express.json())
    app.post('/', async (req, res) => {
      await Promise.resolve()
      res.json({ same: ambientContext() === contextOf(req), body: req.body as unknown })
    })
  })
  const answer = await fetch(url, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
  expect(await answer.json()).toEqual({ same: true, body: { a: 1 } })
})

test('a tenant function that throws is an error of the request', async () => {
  const url = await serve((app) => {
    app.use(
      requestContext({
        tenant: () => {
          throw Object.assign(new Error('who?'), { status: 401, expose: true })
        },
      }),
    )
    app.use(problemDetails())
  })
  const answer = await fetch(url)
  expect([answer.status, await answer.json()]).toEqual([401, { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'who?' }])
})

test('contextOf says what is missing', () => {
  expect(() => contextOf({})).toThrow(expect.objectContaining({ code: 'NOT_REGISTERED' }))
})

test('refuses options it does not know', () => {
  // @ts-expect-error an unknown option
  expect(() => requestContext({ tenants: () => 'a' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
})

test('the tenant function is typed by the request that Express gives', () => {
  express().use(requestContext({ tenant: (req: Request) => req.get('x-tenant') }))
  requestContext({
    tenant(req) {
      expectTypeOf(req.headers.x).toEqualTypeOf<string | string[] | undefined>()
      return undefined
    },
  })
})
