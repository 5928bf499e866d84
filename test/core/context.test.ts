import { describe, expect, test, vi } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { freshCtx, isContext, NOBODY } from '../../src/core/ctx.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Policy } from '../../src/core/handler.ts'
import { policies } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { inside, rubbish, thrownBy, virtualTime } from './support.ts'

virtualTime()

const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
const identity = { tenant: 'acme', keys: { host: 'a' }, trace, correlationId: 'c', causationId: 'd', values: new Map([['x', 1]]) }

/** The context that the work inside a policy is given. */
const within = async (guarded: Policy, context: Context): Promise<Context> => {
  let seen: Context | undefined
  await guarded.run(
    (ctx) => {
      seen = ctx
    },
    { context },
  )
  return seen as Context
}

const permit = { leave: () => {} }
const shapes: Array<[string, Policy]> = [
  ['nothing', policies()],
  ['a guard', guard({ name: 'g', enter: () => permit })],
  ['a guard that makes calls wait', guard({ name: 'g', enter: async () => permit })],
  ['a bulkhead', bulkhead()],
  ['a timeout', timeout({ timeoutMs: 1_000 })],
  ['a retry', retry()],
  ['everything', policies(retry(), bulkhead(), timeout({ timeoutMs: 1_000 }), guard({ name: 'g', enter: () => permit }))],
]

describe('createContext', () => {
  test('makes a root of what it is given', () => {
    const clock = testClock()
    const context = createContext({ ...identity, attempt: 3, idempotencyKey: 'k', timeoutMs: 250, clock })
    expect(isContext(context)).toBe(true)
    expect(context).toMatchObject({ attempt: 3, idempotencyKey: 'k', remainingMs: 250, aborted: false })
    const { tenant, keys, trace: traced, correlationId, causationId, values } = context
    expect({ tenant, keys, trace: traced, correlationId, causationId, values }).toEqual(identity)
    expect(clock.pending).toBe(0)
  })

  test('makes a bare one of nothing', () => {
    const context = createContext()
    expect(context).toMatchObject({ attempt: 1, remainingMs: Number.POSITIVE_INFINITY, aborted: false, keys: {} })
    expect([context.tenant, context.trace, context.correlationId, context.causationId, context.values.size]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      0,
    ])
    expect(createContext({}).attempt).toBe(1)
  })

  test.each<[string, object, string]>([
    ['a negative time', { timeoutMs: -1 }, 'createContext: timeoutMs must be a number of at least 0, got -1'],
    ['no time', { timeoutMs: Number.NaN }, 'createContext: timeoutMs must be a number of at least 0, got NaN'],
    ['endless time', { timeoutMs: Number.POSITIVE_INFINITY }, 'createContext: timeoutMs must be a number of at least 0, got Infinity'],
    ['attempt 0', { attempt: 0 }, 'createContext: attempt must be a whole number of at least 1, got 0'],
    ['an empty key', { idempotencyKey: '' }, 'createContext: idempotencyKey must be a text of 1 to 255 characters, got ""'],
    ['a long tenant', { tenant: 'x'.repeat(201) }, 'createContext: tenant must be a text of 1 to 200 characters'],
    ['keys that are no texts', { keys: { a: 1 } }, 'createContext: keys must be an object of texts, got an object with a'],
    ['keys in a list', { keys: ['a'] }, 'createContext: keys must be an object of texts, got an array of 1'],
    ['a trace that is text', { trace: 'x' }, 'createContext: trace must be a trace context, got "x"'],
    ['values in an object', { values: {} }, 'createContext: values must be a Map, got an object with no keys'],
    ['a controller', { signal: new AbortController() }, 'createContext: signal must be an AbortSignal, got a AbortController'],
    ['half a signal', { signal: { aborted: false, addEventListener() {} } }, 'createContext: signal must be an AbortSignal'],
    ['a date', { clock: Date }, 'createContext: clock must be a clock with nowMs, epochMs and setTimer, got function Date'],
    ['an unknown name', { deadline: 5 }, 'createContext: unknown option deadline'],
  ])('refuses %s', (_, init, message) => {
    expect(thrownBy(() => createContext(init)).message).toContain(message)
  })

  test.each(rubbish)('refuses %s as any of its members', (_, value) => {
    for (const name of ['trace', 'signal', 'clock', 'values', 'keys', 'tenant', 'attempt', 'timeoutMs'] as const) {
      let made: Context | undefined
      try {
        made = createContext({ [name]: value })
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_OPTIONS' })
        continue
      }
      expect(made.aborted).toBe(false)
    }
  })

  test('takes what may arrive in a header, and any object that is a signal', () => {
    expect(createContext({ idempotencyKey: 'k'.repeat(255), correlationId: 'c'.repeat(255) }).correlationId).toHaveLength(255)
    const signal = { aborted: true, reason: 'why', addEventListener() {}, removeEventListener() {} } as unknown as AbortSignal
    expect(createContext({ signal }).aborted).toBe(true)
  })
})

test.each(rubbish)('%s is no context', (_, value) => {
  expect(isContext(value)).toBe(false)
})
test('a spread of one is no context', () => {
  expect(isContext({ ...createContext() })).toBe(false)
})

describe('with', () => {
  test('changes a copy, merges keys, and keeps the rest', () => {
    const context = createContext({ ...identity, attempt: 2 })
    const copy = context.with({ tenant: 'globex', keys: { route: 'r' }, attempt: 5 })
    expect(copy).not.toBe(context)
    expect(copy).toMatchObject({ tenant: 'globex', attempt: 5, correlationId: 'c' })
    expect(copy.keys).toEqual({ host: 'a', route: 'r' })
    expect(context.keys).toEqual({ host: 'a' })
    expect(context.with({ correlationId: 'e', causationId: 'f', trace: { ...trace, flags: 0 }, values: new Map() })).toMatchObject({
      attempt: 2,
      tenant: 'acme',
      correlationId: 'e',
      causationId: 'f',
      trace: { flags: 0 },
    })
    expect(context.with({ values: new Map() }).values.size).toBe(0)
    expect(context.with({ idempotencyKey: 'mine' }).idempotencyKey).toBe('mine')
    expect(context.with({ tenant: undefined }).tenant).toBe('acme')
  })

  test.each(shapes)('what it adds survives %s', async (_, guarded) => {
    const context = createContext().with({ user: 'u1', tx: { id: 1 } })
    const seen = await within(guarded, context)
    expect(seen).toMatchObject({ user: 'u1', tx: { id: 1 } })
    expect(seen.with({ user: 'u2' })).toMatchObject({ user: 'u2', tx: { id: 1 } })
    expect(seen).toMatchObject({ user: 'u1' })
  })

  test.each(shapes)('identity survives %s', async (_, guarded) => {
    const { tenant, keys, trace: traced, correlationId, causationId, values } = await within(guarded, createContext(identity))
    expect({ tenant, keys, trace: traced, correlationId, causationId, values }).toEqual(identity)
  })

  test('refuses every name that a context has of its own, wherever it is called', async () => {
    const names = new Set<string>()
    const contexts: Context[] = [createContext()]
    for (const [, guarded] of shapes) contexts.push(await within(guarded, createContext()))
    for (const context of contexts)
      for (let at: object | null = context; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
        for (const name of Object.getOwnPropertyNames(at)) names.add(name)
    const changeable = ['timeoutMs', 'attempt', 'idempotencyKey', 'tenant', 'keys', 'trace', 'correlationId', 'causationId', 'values']
    for (const name of changeable) names.delete(name)
    expect(names).toContain('signal')
    expect(names).toContain('settle')
    for (const name of names)
      for (const context of contexts)
        expect(thrownBy(() => context.with({ [name]: 1 }))).toMatchObject({
          code: 'INVALID_OPTIONS',
          message: `context.with: ${name} is a name of the context's own; choose another`,
          effect: 'none',
          retry: 'never',
          details: { option: name },
        })
  })

  test.each(['toString', 'hasOwnProperty', 'constructor'])('refuses %s too', (name) => {
    expect(() => createContext().with({ [name]: 1 })).toThrow('choose another')
  })

  test.each([null, undefined, 5, 'x'])('refuses %s', (change) => {
    expect(thrownBy(() => createContext().with(change as never)).message).toMatch(/^context\.with: the change must be an object, got /)
  })

  test.each(['5', Number.NaN, null, {}])('refuses %s as a time', (timeoutMs) => {
    expect(thrownBy(() => createContext().with({ timeoutMs })).message).toMatch(
      /^context\.with: timeoutMs must be a number of milliseconds/,
    )
  })
})

describe('a deadline', () => {
  test('counts down and stops at 0', async () => {
    const clock = testClock()
    const context = createContext({ timeoutMs: 100, clock })
    await clock.advance(60)
    expect([context.remainingMs, context.aborted]).toEqual([40, false])
    await clock.advance(60)
    expect([context.remainingMs, context.aborted]).toEqual([0, true])
    expect(context.signal.reason).toMatchObject({ code: 'DEADLINE' })
  })

  test('gets earlier with with(), never later', () => {
    const clock = testClock()
    const context = createContext({ timeoutMs: 100, clock })
    expect(context.with({ timeoutMs: 40 }).remainingMs).toBe(40)
    expect(context.with({ timeoutMs: 400 }).remainingMs).toBe(100)
    expect(context.with({ timeoutMs: 40 }).with({ timeoutMs: 60 }).remainingMs).toBe(40)
    expect(context.with({ timeoutMs: Number.POSITIVE_INFINITY }).remainingMs).toBe(100)
    expect(createContext().with({ timeoutMs: Number.POSITIVE_INFINITY }).remainingMs).toBe(Number.POSITIVE_INFINITY)
    expect(inside(createContext().with({ timeoutMs: Number.POSITIVE_INFINITY })).live).toBe(false)
    expect(context.with({ timeoutMs: -5 })).toMatchObject({ remainingMs: 0, aborted: true })
    expect(context.with({ timeoutMs: 0 })).toMatchObject({ remainingMs: 0, aborted: true })
    expect(context.with({ tenant: 'x' }).remainingMs).toBe(100)
  })

  test('set by a timeout on another clock is told on that clock, here and below', async () => {
    const clock = testClock()
    const outer = timeout({ timeoutMs: 100, clock })
    const inner = timeout({ timeoutMs: 500, clock })
    for (const context of [createContext(), createContext({ timeoutMs: 60_000 })]) {
      const left = await policies(outer, inner).run((ctx) => [ctx.remainingMs, ctx.with({ timeoutMs: 400 }).remainingMs], { context })
      expect(left).toEqual([100, 100])
    }
    const tighter = await outer.run((ctx) => ctx.remainingMs, { context: createContext({ timeoutMs: 40, clock: testClock() }) })
    expect(tighter).toBe(40)
  })

  test('is armed by its creator only, and only while somebody waits', async () => {
    const clock = testClock()
    const set = vi.spyOn(clock, 'setTimer')
    const root = createContext({ timeoutMs: 100, clock })
    const child = root.with({ timeoutMs: 500 }).with({ timeoutMs: 100 }).with({ tenant: 'a' })
    expect(clock.pending).toBe(0)
    expect(child.signal.aborted).toBe(false)
    expect([clock.pending, set.mock.calls.length]).toEqual([1, 1])
    void root.signal
    void root.with({}).signal
    expect([clock.pending, set.mock.calls.length]).toEqual([1, 1])
    await clock.advance(100)
    expect(child.signal.aborted).toBe(true)
    expect(child.signal.reason).toBe(root.signal.reason)
    expect(clock.pending).toBe(0)
  })

  test('an earlier one below is armed for itself and aborts nothing above', async () => {
    const clock = testClock()
    const root = createContext({ timeoutMs: 100, clock })
    const child = root.with({ timeoutMs: 30 })
    const [above, below] = [root.signal, child.signal]
    expect(clock.pending).toBe(2)
    await clock.advance(30)
    expect([above.aborted, below.aborted, clock.pending]).toEqual([false, true, 1])
    await clock.advance(70)
    expect(above.aborted).toBe(true)
  })

  test('armed late is armed for what is left', async () => {
    const clock = testClock()
    const context = createContext({ timeoutMs: 100, clock })
    await clock.advance(70)
    const { signal } = context
    await clock.advance(29)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.aborted).toBe(true)
  })

  test('leaves nothing behind when a deadline above passes while it joins', () => {
    let nowMs = 0
    const pending = new Set<unknown>()
    const clock = {
      // Every look takes time, as on a busy machine.
      nowMs: () => nowMs++,
      epochMs: () => 0,
      setTimer: (fire: () => void) => {
        pending.add(fire)
        return { clear: () => void pending.delete(fire) }
      },
    }
    for (let timeoutMs = 1; timeoutMs < 40; timeoutMs++) {
      nowMs = 0
      const heard = new Set<unknown>()
      const signal = {
        aborted: false,
        addEventListener: (_: string, each: unknown) => heard.add(each),
        removeEventListener: (_: string, each: unknown) => heard.delete(each),
      } as unknown as AbortSignal
      const parent = createContext({ timeoutMs, clock })
      const child = inside(parent.with({ timeoutMs: timeoutMs - 0.5 }))
      child.rare.source = signal
      const aborted = child.signal.aborted
      if (aborted) expect([pending.size, heard.size]).toEqual([0, 0])
      inside(parent).end()
      child.end()
      pending.clear()
    }
  })
})

describe('hold', () => {
  test.each<[string, () => unknown]>([
    ['fulfils', () => Promise.resolve(1)],
    ['rejects', () => Promise.reject(new Error('x'))],
    [
      'is a thenable that throws',
      () => ({
        [`${'th'}en`]: () => {
          throw new Error('x')
        },
      }),
    ],
    ['is no promise at all', () => 5],
  ])('counts work above and below until it %s', async (_, work) => {
    const root = inside(createContext())
    const child = inside(root.with({}))
    const sibling = inside(root.with({}))
    child.hold(work() as PromiseLike<unknown>)
    expect([root.rare.pending, child.rare.pending, sibling.rare.pending]).toEqual([1, 1, 0])
    const idle = vi.fn()
    root.whenIdle(idle)
    expect(idle).not.toHaveBeenCalled()
    await new Promise((resolve) => setImmediate(resolve))
    expect([root.rare.pending, child.rare.pending]).toEqual([0, 0])
    expect(idle).toHaveBeenCalledOnce()
    root.whenIdle(idle)
    expect(idle).toHaveBeenCalledTimes(2)
  })

  test('waits for all of several', async () => {
    const root = inside(createContext())
    let done = (_: unknown): void => {}
    root.hold(Promise.resolve())
    root.hold(
      new Promise((resolve) => {
        done = resolve
      }),
    )
    const idle = vi.fn()
    root.whenIdle(idle)
    await new Promise((resolve) => setImmediate(resolve))
    expect(idle).not.toHaveBeenCalled()
    done(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(idle).toHaveBeenCalledOnce()
  })
})

test('nobody and a fresh context are never aborted and have no deadline', () => {
  for (const ctx of [NOBODY, freshCtx()]) {
    expect([ctx.live, ctx.aborted, ctx.reason, ctx.remainingMs]).toEqual([false, false, undefined, Number.POSITIVE_INFINITY])
  }
  expect(freshCtx()).not.toBe(freshCtx())
})
