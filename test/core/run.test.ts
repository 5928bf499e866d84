import { describe, expect, test, vi } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Policy, RunOptions } from '../../src/core/handler.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { circuitBreaker } from '../../src/resilience/circuit-breaker.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { consecutive } from '../../src/resilience/trip.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { countedSignal, deferred, hostile, refusedBy, rubbish, settled, virtualTime } from './support.ts'

virtualTime()

const clock = testClock()
/** Never opens: each test hands it failures. */
const breaker = () => circuitBreaker({ clock, trips: consecutive(1_000_000) })
const permit = { leave: () => {} }
const kinds: Array<[string, () => Policy]> = [
  ['nothing', () => policies()],
  ['a guard', () => guard({ name: 'g', enter: () => permit })],
  ['a wrapper', () => policy('w', (next) => (input, ctx) => next(input, ctx))],
  ['a breaker', () => breaker()],
  ['a bulkhead', () => bulkhead()],
  ['a timeout', () => timeout({ timeoutMs: 1_000, clock })],
  ['two guards', () => policies(breaker(), bulkhead())],
  ['six guards', () => policies(...Array.from({ length: 6 }, () => bulkhead()))],
  ['a retry around a timeout', () => policies(retry({ attempts: 1, clock }), timeout({ timeoutMs: 1_000, clock }))],
  ['all of it', () => policies(retry({ attempts: 1, clock }), breaker(), bulkhead(), timeout({ timeoutMs: 1_000, clock }))],
]
const proxied = () => new Proxy(Promise.resolve(1), {})

describe.each(kinds)('through %s', (_, make) => {
  test('run answers what the task answers, however it does', async () => {
    const guarded = make()
    const broken = new Error('broken')
    expect(await guarded.run(() => 1)).toBe(1)
    expect(await guarded.run(async () => 2)).toBe(2)
    expect(await guarded.run(() => undefined)).toBe(undefined)
    const thenable = Object.defineProperty({}, 'then', { value: (yes: (value: number) => void) => yes(3) })
    expect(await guarded.run(() => thenable as PromiseLike<number>)).toBe(3)
    const sync = guarded.run(() => {
      throw broken
    })
    expect(sync).toBeInstanceOf(Promise)
    await expect(sync).rejects.toBe(broken)
    await expect(guarded.run(async () => Promise.reject(broken))).rejects.toBe(broken)
  })

  test.each([undefined, { timeoutMs: 500 }])('tryRun never rejects, whatever is thrown (options %j)', async (options) => {
    const guarded = make()
    for (const [, thrown] of [...hostile, ...rubbish]) {
      const atOnce = await guarded.tryRun(() => {
        throw thrown
      }, options)
      expect([atOnce.ok, !atOnce.ok && Object.is(atOnce.error, thrown)]).toEqual([false, true])
      const later = await guarded.tryRun(() => Promise.reject(thrown), options)
      expect([later.ok, !later.ok && later.effect]).toEqual([false, 'unknown'])
    }
  })

  test('what cannot be waited for is a failure that leaves nothing taken', async () => {
    const slots = bulkhead({ concurrent: 1 })
    for (const guarded of [policies(make(), slots), policies(slots, make()), policies(slots, bulkhead(), make())]) {
      const throwing = Object.defineProperty({}, 'then', {
        get() {
          throw new Error('do not touch')
        },
      })
      await expect(guarded.run(() => throwing)).rejects.toThrow('do not touch')
      await expect(guarded.run(proxied)).rejects.toThrow(TypeError)
      await settled()
      expect([slots.running, slots.abandoned]).toEqual([0, 0])
      expect(await guarded.run(() => 1)).toBe(1)
      await settled()
      expect(slots.running).toBe(0)
    }
    expect(clock.pending).toBe(0)
  })

  test.each(rubbish.filter(([, value]) => typeof value !== 'function').concat([['undefined', undefined]]))(
    'refuses %s as a task',
    async (_, task) => {
      const guarded = make()
      const error = await refusedBy(guarded.run(task as never))
      expect(error).toMatchObject({ code: 'INVALID_INPUT', effect: 'none', retry: 'never' })
      expect(error.message).toMatch(/^run: the task must be a function, got /)
      expect(await guarded.tryRun(task as never)).toMatchObject({ ok: false, effect: 'none', error: { code: 'INVALID_INPUT' } })
    },
  )

  const bad: Array<[string, unknown, string]> = [
    ['an unknown option', { timeout: 5 }, 'run: unknown option timeout (did you mean timeoutMs?)'],
    ['a known one without a value, beside it', { signal: undefined, retries: undefined }, 'run: unknown option retries'],
    ['null', null, 'run: options must be an object, got null'],
    ['a number', 500, 'run: options must be an object, got 500'],
    ['a text', 'abc', 'run: options must be an object, got "abc"'],
    ['nothing in a text', '', 'run: options must be an object, got ""'],
    ['a list', [], 'run: options must be an object, got an array of 0'],
    ['a function', () => ({}), 'run: options must be an object, got a function'],
    ['a signal in the place of options', new AbortController().signal, 'run: unknown option'],
    ['a context in the place of options', createContext(), 'run: unknown option'],
    [
      'a context that is not ours',
      { context: { signal: new AbortController().signal } },
      'run: context must be a context made by createContext()',
    ],
    ['the spread of one', { context: { ...createContext() } }, 'run: context must be a context made by createContext()'],
    ['no time', { timeoutMs: Number.NaN }, 'run: timeoutMs must be a number of at least 0, got NaN'],
    ['a negative time', { timeoutMs: -1 }, 'run: timeoutMs must be a number of at least 0, got -1'],
    ['a time in words', { timeoutMs: '5s' }, 'run: timeoutMs must be a number of at least 0, got "5s"'],
    ['a controller', { signal: new AbortController() }, 'run: signal must be an AbortSignal, got a AbortController'],
    ['keys of numbers', { keys: { tenant: 7 } }, 'run: keys must be an object of texts'],
    ['an empty key', { idempotencyKey: '' }, 'run: idempotencyKey must be a text of 1 to 255 characters, got ""'],
    ...hostile
      .slice(0, 2)
      .map(([name, value]): [string, unknown, string] => [name, value, 'run: options must be an object, got an object']),
    ...hostile
      .slice(0, 2)
      .map(([name, value]): [string, unknown, string] => [`${name} for a context`, { context: value }, 'run: context must']),
    ...hostile.slice(0, 2).map(([name, value]): [string, unknown, string] => [`${name} for keys`, { keys: value }, 'run: keys must']),
  ]
  test.each(bad)('refuses %s before the task runs', async (_, options, message) => {
    const guarded = make()
    const task = vi.fn()
    const error = await refusedBy(guarded.run(task, options as RunOptions))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', retry: 'never' })
    expect(error.message).toContain(message)
    const outcome = await guarded.tryRun(task, options as RunOptions)
    expect(outcome).toMatchObject({ ok: false, effect: 'none' })
    expect(task).not.toHaveBeenCalled()
  })

  test.each<[string, () => RunOptions, string]>([
    ['an aborted signal', () => ({ signal: AbortSignal.abort('gone') }), 'ABORTED'],
    ['an aborted context', () => ({ context: createContext({ signal: AbortSignal.abort('gone') }) }), 'ABORTED'],
    ['a deadline that has passed', () => ({ context: createContext({ timeoutMs: 0, clock }) }), 'DEADLINE'],
    ['no time left', () => ({ timeoutMs: 0 }), 'DEADLINE'],
    ['a context below one whose time is over', () => ({ context: createContext({ timeoutMs: 0 }).with({ tenant: 'a' }) }), 'DEADLINE'],
  ])('does not run the task under %s', async (_, options, code) => {
    const slots = bulkhead({ concurrent: 1 })
    const guarded = policies(slots, make())
    const task = vi.fn()
    const enter = vi.fn(() => permit)
    expect(await refusedBy(policies(guard({ name: 'asked', enter }), make()).run(task, options()))).toMatchObject({ code, effect: 'none' })
    expect(enter).not.toHaveBeenCalled()
    for (const each of [make(), guarded]) {
      expect(await refusedBy(each.run(task, options()))).toMatchObject({ code, effect: 'none' })
      expect(await each.tryRun(task, options())).toMatchObject({ ok: false, effect: 'none', error: { code } })
    }
    await settled()
    expect([task.mock.calls.length, slots.running, clock.pending]).toEqual([0, 0, 0])
  })

  test('takes options from the prototype, and undefined for absent', async () => {
    const task = (ctx: Context) => ctx.keys
    expect(await make().run(task, Object.create({ keys: { host: 'a' } }))).toEqual({ host: 'a' })
    expect(await make().run(task, { keys: undefined, signal: undefined } as never)).toEqual({})
  })

  test('changes the context of the call by the options, and only that', async () => {
    const context = createContext({ tenant: 'acme', keys: { host: 'a' }, attempt: 1, clock })
    const seen = await make().run((ctx) => ({ tenant: ctx.tenant, keys: ctx.keys, key: ctx.idempotencyKey, left: ctx.remainingMs }), {
      context,
      keys: { route: 'r' },
      idempotencyKey: 'k'.repeat(255),
      timeoutMs: 500,
    })
    expect(seen).toEqual({ tenant: 'acme', keys: { host: 'a', route: 'r' }, key: 'k'.repeat(255), left: 500 })
    expect([context.keys, context.remainingMs]).toEqual([{ host: 'a' }, Number.POSITIVE_INFINITY])
  })

  test('answers at once when the caller gives up, and says whether the work had begun', async () => {
    const guarded = make()
    const counted = countedSignal()
    const answer = refusedBy(guarded.run(() => new Promise(() => {}), { signal: counted.signal }))
    await settled()
    counted.abort('gone')
    expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'unknown', retry: 'never', cause: 'gone' })
    const slots = policies(bulkhead({ concurrent: 1, queued: 5 }), guarded)
    const first = deferred()
    const running = slots.run(() => first.promise)
    const again = countedSignal()
    const waiting = refusedBy(slots.run(() => 1, { signal: again.signal }))
    await settled()
    again.abort('gone')
    expect(await waiting).toMatchObject({ code: 'ABORTED', effect: 'none', cause: 'gone' })
    first.resolve(1)
    await running
    await settled()
    expect([again.listeners, clock.pending]).toEqual([0, 0])
  })

  test('begins nothing once the caller has heard that nothing happened', async () => {
    const gate = deferred()
    const slow = policy('slow', (next) => async (input, ctx) => {
      await gate.promise
      return next(input, ctx)
    })
    const task = vi.fn()
    for (const guarded of [policies(slow, make()), policies(make(), slow)]) {
      for (const call of [
        guarded.run.bind(guarded, task),
        (options: RunOptions) => guarded.wrap(async () => task(), { options: () => options })(),
      ]) {
        const counted = countedSignal()
        const answer = refusedBy(call({ signal: counted.signal }))
        counted.abort('gone')
        const { code, effect } = await answer
        expect(code).toBe('ABORTED')
        gate.resolve(1)
        await settled()
        if (effect === 'none') expect(task).not.toHaveBeenCalled()
        task.mockClear()
      }
    }
    const counted = countedSignal()
    const atOnce = make().tryRun(task, { signal: counted.signal })
    counted.abort('gone')
    const began = task.mock.calls.length > 0
    const outcome = await atOnce
    if (!outcome.ok) expect(outcome.effect).toBe(began ? 'unknown' : 'none')
    await settled()
    expect(task).toHaveBeenCalledTimes(began ? 1 : 0)
  })
})

describe('a handler made by a policy', () => {
  test.each(kinds)('passes input and context on through %s', async (_, make) => {
    const context = createContext({ tenant: 'acme' })
    const handler = make()(async (input: string, ctx: Context) => `${input} ${ctx.tenant}`)
    expect(await handler('a', context)).toBe('a acme')
    expect(await (handler as unknown as (input: string) => Promise<string>)('a')).toBe('a undefined')
  })

  test.each(kinds)('rejects a context that is none, and runs nothing through %s', async (_, make) => {
    const task = vi.fn(async () => 1)
    const handler = make()(task)
    for (const [, value] of [...rubbish, ['a spread', { ...createContext() }] as const]) {
      const error = await refusedBy(handler(1, value as Context))
      expect(error).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none' })
      expect(error.message).toMatch(/^policy: the context must be made by createContext\(\)/)
    }
    expect(task).not.toHaveBeenCalled()
  })

  test.each(rubbish.filter(([, value]) => typeof value !== 'function'))('is not made of %s', (_, value) => {
    expect(() => bulkhead()(value as never)).toThrow('policy: the handler it wraps must be a function')
  })

  test('rejects, never throws, when the handler throws at once', async () => {
    const handler = policies()(() => {
      throw new Error('x')
    })
    const answer = handler(1, createContext())
    await expect(answer).rejects.toThrow('x')
  })
})

test('tryRun says of a refusal that nothing happened, of a failure what it admits, of a value the value', async () => {
  const full = bulkhead({ concurrent: 1 })
  const gate = deferred()
  const running = full.run(() => gate.promise)
  expect(await full.tryRun(() => 1)).toMatchObject({ ok: false, effect: 'none', error: { code: 'BULKHEAD_FULL' } })
  expect(await policies(full, bulkhead()).tryRun(() => 1)).toMatchObject({ ok: false, effect: 'none' })
  expect(await policies(bulkhead(), full).tryRun(() => 1)).toMatchObject({ ok: false, effect: 'none' })
  expect(await policies(full, timeout({ timeoutMs: 5, clock })).tryRun(() => 1)).toMatchObject({ ok: false, effect: 'none' })
  gate.resolve(1)
  await running
  expect(await full.tryRun(() => 1)).toEqual({ ok: true, value: 1 })
  expect(await full.tryRun(() => ({ ok: false, error: 1, effect: 'none' }))).toEqual({
    ok: true,
    value: { ok: false, error: 1, effect: 'none' },
  })
  expect(await fallback('b').tryRun(() => Promise.reject(1))).toEqual({ ok: true, value: 'b', source: 'fallback' })
})

describe('the idempotency key', () => {
  const key = /^[0-9a-f-]{36}$/
  const thrice = async (guarded: Policy, read: (ctx: Context, attempt: number) => string | undefined, options?: RunOptions) => {
    const keys: Array<string | undefined> = []
    const attempts: number[] = []
    const contexts: Context[] = []
    const time = testClock()
    await guarded.tryRun(async (ctx) => {
      contexts.push(ctx)
      attempts.push(ctx.attempt)
      keys.push(read(ctx, attempts.length))
      await time.advance(0)
      throw new Error('again')
    }, options)
    return { keys, attempts, contexts }
  }
  const again = () => retry({ attempts: 3, delayMs: 0, clock })
  const retries: Array<[string, Policy]> = [
    ['a retry', again()],
    ['a retry around a timeout', policies(again(), timeout({ timeoutMs: 1_000, clock }))],
    ['a retry around several', policies(again(), breaker(), bulkhead(), timeout({ timeoutMs: 1_000, clock }))],
    [
      'a wrapper around it',
      policies(
        policy('w', (next) => (input, ctx) => next(input, ctx)),
        again(),
        timeout({ timeoutMs: 1_000, clock }),
      ),
    ],
  ]

  test.each(retries)('is one for all attempts of %s, and another for the next call', async (_, guarded) => {
    const [one, two] = [await thrice(guarded, (ctx) => ctx.idempotencyKey), await thrice(guarded, (ctx) => ctx.idempotencyKey)]
    expect(one.attempts).toEqual([1, 2, 3])
    expect(one.keys[0]).toMatch(key)
    expect(new Set(one.keys).size).toBe(1)
    expect(two.keys[0]).not.toBe(one.keys[0])
    expect(one.contexts.map((ctx) => ctx.idempotencyKey)).toEqual(one.keys)
  })

  test.each(retries)('read late by the first attempt of %s is still that one', async (_, guarded) => {
    const { keys, contexts } = await thrice(guarded, (ctx, attempt) => (attempt === 1 ? undefined : ctx.idempotencyKey))
    expect(keys[1]).toMatch(key)
    expect(contexts.map((ctx) => ctx.idempotencyKey)).toEqual([keys[1], keys[1], keys[1]])
    const never = await thrice(guarded, () => undefined)
    expect(new Set(never.contexts.map((ctx) => ctx.with({}).idempotencyKey)).size).toBe(1)
  })

  test.each(retries)('handed in stays through %s', async (_, guarded) => {
    expect((await thrice(guarded, (ctx) => ctx.idempotencyKey, { idempotencyKey: 'mine' })).keys).toEqual(['mine', 'mine', 'mine'])
    const context = createContext()
    const { keys } = await thrice(guarded, (ctx) => ctx.idempotencyKey, { context })
    expect(new Set([...keys, context.idempotencyKey, context.with({}).idempotencyKey]).size).toBe(1)
  })

  test('carries the time of the context’s clock', () => {
    const context = createContext({ clock: testClock({ epochMs: Date.UTC(2200, 0, 1) }) })
    expect(Number.parseInt(context.idempotencyKey.replace('-', '').slice(0, 12), 16)).toBeGreaterThanOrEqual(Date.UTC(2200, 0, 1))
  })
})
