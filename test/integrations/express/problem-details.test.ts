import express from 'express'
import { describe, expect, test, vi } from 'vitest'
import { toJson } from '../../../src/core/json.ts'
import { parse, type Schema } from '../../../src/core/schema.ts'
import { bulkhead, circuitBreaker, consecutive, declined, failed, HoldfastError, timeout } from '../../../src/index.ts'
import { problemDetails } from '../../../src/integrations/express/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { serve } from './app.ts'

const silent = () => problemDetails({ onUnknown: () => {} })

async function answerTo(work: () => unknown, handler = silent()) {
  const url = await serve((app) => {
    app.get('/', async () => void (await work()))
    app.use(handler)
    app.use((error: unknown, _req: unknown, res: express.Response, _next: unknown) => void res.status(418).end(String(error)))
  })
  const answer = await fetch(url)
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    retryAfter: answer.headers.get('retry-after'),
    body: await answer.text(),
  }
}

const error =
  (code: string, options = {}) =>
  () =>
    Promise.reject(new HoldfastError(code, 'in plain words', options))

describe('answers', () => {
  test('an open breaker with 503 and how long to wait, and keeps its name inside', async () => {
    const clock = testClock()
    const breaker = circuitBreaker({ name: 'secret-host', trips: consecutive(1), openMs: 7_500, clock })
    await breaker.tryRun(() => Promise.reject(new Error('down')))
    const answer = await answerTo(() => breaker.run(async () => {}))
    expect(answer).toMatchObject({ status: 503, type: 'application/problem+json', retryAfter: '8' })
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'The service cannot do this now.',
      code: 'BREAKER_OPEN',
    })
  })

  test('a full bulkhead with 503 and a second, since it does not know better', async () => {
    const full = bulkhead({ concurrent: 1 })
    void full.run(() => new Promise(() => {}))
    expect(await answerTo(() => full.run(async () => {}))).toMatchObject({ status: 503, retryAfter: '1' })
  })

  test('a timeout with 504', async () => {
    const clock = testClock()
    const answer = await answerTo(async () => {
      const call = timeout({ timeoutMs: 5, clock }).run(() => new Promise(() => {}))
      await Promise.all([call, clock.advance(5)])
    })
    expect(answer).toMatchObject({ status: 504, retryAfter: null })
  })

  test('a business no with 409 and its message', async () => {
    const answer = await answerTo(() => Promise.reject(declined('out of stock', { details: { internal: 1 } })))
    expect(answer).toMatchObject({ status: 409 })
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'out of stock',
      code: 'DECLINED',
    })
  })

  test.each([undefined, '', 7])('a business no without words (%s) with 409 all the same', async (message) => {
    const answer = await answerTo(() => Promise.reject(declined(message as never)))
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([409, { detail: 'declined' }])
    expect(failed(message as never)).toMatchObject({ code: 'FAILED', effect: 'unknown', message: 'failed' })
  })

  test('invalid input with 400 and what is wrong where', async () => {
    const schema: Schema<unknown> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'must be a number', path: ['items', 0] }] }) },
    }
    const answer = await answerTo(() => parse('the order', schema, {}))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: 'items.0', message: 'must be a number' }] })
  })

  test('what is not JSON with 400', async () => {
    expect(await answerTo(() => toJson('order', { at: new Date() }))).toMatchObject({ status: 400 })
  })

  test.each([
    ['DEADLINE', 504],
    ['WAIT_TIMEOUT', 504],
    ['SAGA_ID_REUSED', 409],
    ['SAGA_UNDONE', 409],
    ['SAGA_NOT_FOUND', 404],
    ['ABORTED', 503],
    ['INVALID_OPTIONS', 500],
    ['NOT_REGISTERED', 500],
  ])('%s with %i', async (code, status) => {
    expect((await answerTo(error(code, { effect: 'none' }))).status).toBe(status)
  })

  test.each([
    [declined('out of stock'), 'out of stock'],
    [new Error('password=hunter2'), 'It was undone; nothing remains of it.'],
  ])('a saga undone because of %s with 409', async (cause, detail) => {
    const answer = await answerTo(error('SAGA_UNDONE', { effect: 'none', cause }))
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([409, { detail }])
  })

  test.each([
    [30_000, '30'],
    [1, '1'],
    [0, '1'],
  ])("a refusal with a code of the user's own and %i ms with 503 and %s s", async (retryAfterMs, retryAfter) => {
    const answer = await answerTo(error('TOO_EARLY', { effect: 'none', retry: 'later', retryAfterMs }))
    expect(answer).toMatchObject({ status: 503, retryAfter })
  })

  test("a body parser's error with its own status and message", async () => {
    const url = await serve((app) => {
      app.use(express.json({ limit: 10 }))
      app.use(problemDetails())
    })
    const post = (body: string) => fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    expect(await (await post('{"a":')).json()).toMatchObject({ status: 400, title: 'Bad Request' })
    expect(await (await post('{"a":"01234567890"}')).json()).toMatchObject({ status: 413, detail: 'request entity too large' })
  })
})

describe('an error it does not know', () => {
  const secret = () => Promise.reject(new Error('password=hunter2'))

  test.each<[string, () => unknown]>([
    ['an Error', secret],
    ['failed()', () => Promise.reject(failed('password=hunter2'))],
    ['one that says 500', () => Promise.reject(Object.assign(new Error('password=hunter2'), { status: 500, expose: true }))],
    ['one that hides its message', () => Promise.reject(Object.assign(new Error('password=hunter2'), { status: 499, expose: false }))],
    ['no error at all', () => Promise.reject('password=hunter2')],
  ])('%s leaks nothing', async (_, work) => {
    const answer = await answerTo(work)
    expect([answer.status, answer.type]).toEqual([answer.body.includes('499') ? 499 : 500, 'application/problem+json'])
    expect(answer.body).not.toMatch(/hunter2|stack|at /)
  })

  test('is told to onUnknown', async () => {
    const told: unknown[] = []
    await answerTo(secret, problemDetails({ onUnknown: (error) => told.push(error) }))
    expect(told).toEqual([expect.objectContaining({ message: 'password=hunter2' })])
  })

  test('is written to stderr where nobody is told', async () => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      await answerTo(() => Promise.reject(declined('no')), problemDetails())
      expect(written).not.toHaveBeenCalled()
      await answerTo(secret, problemDetails())
      expect(written.mock.calls).toEqual([[expect.stringMatching(/^Error: password=hunter2\n +at .*\n$/s)]])
    } finally {
      written.mockRestore()
    }
  })

  test('goes to the next error handler where asked', async () => {
    expect(await answerTo(secret, problemDetails({ unknown: 'pass' }))).toMatchObject({ status: 418, body: 'Error: password=hunter2' })
    expect(await answerTo(() => Promise.reject(declined('no')), problemDetails({ unknown: 'pass' }))).toMatchObject({ status: 409 })
  })
})

test('an answer that has begun is broken off, not continued', async () => {
  const late = declined('too late')
  const passed: unknown[] = []
  const url = await serve((app) => {
    app.get('/', (_req, res, next) => {
      res.write('half')
      next(late)
    })
    app.use(problemDetails())
    app.use((error: unknown, _req: unknown, _res: unknown, next: (error: unknown) => void) => {
      passed.push(error)
      next(error)
    })
  })
  await expect(fetch(url).then((answer) => answer.text())).rejects.toThrow()
  expect(passed).toEqual([late])
})
