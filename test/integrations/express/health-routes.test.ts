import { describe, expect, test } from 'vitest'
import type { Health } from '../../../src/app/health.ts'
import { healthRoutes } from '../../../src/integrations/express/index.ts'
import { serve } from './app.ts'

const parts = { storage: { status: 'ok' }, bus: { status: 'degraded', reason: 'host db1 is away' } } as const
const health = (live: boolean, ready: boolean): { health(): Promise<Health> } => ({ health: async () => ({ live, ready, parts }) })

async function ask(hf: { health(): Promise<Health> }, path: string, init?: RequestInit, options?: { reasons?: boolean }) {
  const url = await serve((app) => {
    app.use(healthRoutes(hf, options))
    app.use((_req, res) => void res.status(404).end('passed on'))
  })
  const answer = await fetch(url + path, init)
  const text = await answer.text()
  return { status: answer.status, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text, headers: answer.headers }
}

test.each([
  [true, 200],
  [false, 503],
])('/livez of an application that is live: %s answers %i', async (live, status) => {
  expect(await ask(health(live, false), '/livez')).toMatchObject({ status, body: { live } })
})

test.each([
  [true, 200],
  [false, 503],
])('/readyz of an application that is ready: %s answers %i and keeps reasons to itself', async (ready, status) => {
  const answer = await ask(health(true, ready), '/readyz?verbose')
  expect(answer).toMatchObject({ status })
  expect(answer.body).toEqual({ ready, parts: { storage: { status: 'ok' }, bus: { status: 'degraded' } } })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('content-type')).toBe('application/json')
})

test('reasons are shown where asked for', async () => {
  expect(await ask(health(true, true), '/readyz', {}, { reasons: true })).toMatchObject({ body: { parts } })
})

test('HEAD is answered without a body', async () => {
  expect(await ask(health(true, true), '/readyz', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

describe('passes on', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/livez/x'],
    ['GET', '/constructor'],
    ['POST', '/livez'],
  ])('%s %s', async (method, path) => {
    expect(await ask(health(true, true), path, { method })).toMatchObject({ status: 404, body: 'passed on' })
  })
})

test('answers below the path it is mounted at', async () => {
  const url = await serve((app) => void app.use('/internal', healthRoutes(health(true, true))))
  expect((await fetch(`${url}/internal/livez`)).status).toBe(200)
})

test('refuses what has no health', () => {
  // @ts-expect-error nothing to ask
  expect(() => healthRoutes(undefined)).toThrow(/what holdfast\(\) returned/)
})
