import { describe, expect, expectTypeOf, test } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { type HoldfastCode, HoldfastError } from '../../src/core/errors.ts'
import { Emitter, type Events } from '../../src/core/events.ts'
import type { Handler, Layer, Policy, Recovery, RunOptions, Task, Wrapper } from '../../src/core/handler.ts'
import { checkOptions } from '../../src/core/options.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { durationMs, oneOf, optional, required } from '../../src/core/rules.ts'
import { parse, type Schema } from '../../src/core/schema.ts'
import { stack } from '../../src/core/stack.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { circuitBreaker } from '../../src/resilience/circuit-breaker.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'

interface MessageContext extends Context {
  readonly deliveryCount: number
}
interface Sku {
  readonly sku: string
}
const guarded = policies(retry(), circuitBreaker(), bulkhead(), timeout({ timeoutMs: 5 }))
const mixed = policies(fallback('none' as const), guarded, fallback(null))
const getStock: Handler<Sku, number> = async ({ sku }) => sku.length

/** Compiled, not run. */
const typed = (_: () => unknown): void => {}

describe('the types', () => {
  test('of a policy: a handler keeps input, result and context', () => {
    expectTypeOf(guarded).toEqualTypeOf<Policy>()
    expectTypeOf(guarded(getStock)).toEqualTypeOf<Handler<Sku, number>>()
    expectTypeOf(guarded(async (n: number, ctx: Context) => n + ctx.attempt)).toEqualTypeOf<Handler<number, number>>()
    const onPaid: Handler<{ id: string }, void, MessageContext> = async (_, ctx) => void ctx.deliveryCount.toFixed()
    expectTypeOf(guarded(onPaid)).toEqualTypeOf<Handler<{ id: string }, void, MessageContext>>()
    typed(() => {
      // @ts-expect-error the context lacks deliveryCount
      void guarded(onPaid)({ id: '1' }, createContext())
      // @ts-expect-error a handler is a function
      guarded(5)
    })
    expect(typeof guarded).toBe('function')
  })

  test('of run and tryRun: what the task answers, unwrapped', () => {
    typed(() => {
      expectTypeOf(guarded.run(async ({ signal }) => ({ signal }))).toEqualTypeOf<Promise<{ signal: AbortSignal }>>()
      expectTypeOf(guarded.run(() => 3)).toEqualTypeOf<Promise<number>>()
      expectTypeOf(guarded.tryRun(async () => 3)).toEqualTypeOf<Promise<Outcome<number>>>()
      expectTypeOf(mixed.run(async () => 3)).toEqualTypeOf<Promise<number | 'none' | null>>()
      expectTypeOf(mixed.tryRun(() => 3)).toEqualTypeOf<Promise<Outcome<number | 'none' | null>>>()
      // @ts-expect-error a task is a function
      void guarded.run(5)
      // @ts-expect-error an unknown option
      void guarded.run(() => 1, { timeout: 5 })
      // @ts-expect-error a signal is no options
      void guarded.run(() => 1, new AbortController().signal)
      // @ts-expect-error the context is one of ours
      void guarded.run(() => 1, { context: { signal: new AbortController().signal } })
    })
    expectTypeOf<Task<number>>().parameters.toEqualTypeOf<[Context]>()
    expectTypeOf<RunOptions['timeoutMs']>().toEqualTypeOf<number | undefined>()
    // @ts-expect-error undefined is not given where it is not meant
    const absent: RunOptions = { timeoutMs: undefined }
    expect(absent).toBeDefined()
  })

  test('of an outcome: a value or an error with its effect', () => {
    const outcome = { ok: true, value: 1 } as Outcome<number>
    if (outcome.ok) expectTypeOf(outcome.value).toEqualTypeOf<number>()
    else expectTypeOf(outcome).toEqualTypeOf<{ readonly ok: false; readonly error: unknown; readonly effect: 'none' | 'unknown' }>()
    // @ts-expect-error not before ok was asked
    expect(outcome.value).toBe(1)
  })

  test('of recoveries: they widen the result, and are no policies', () => {
    expectTypeOf(mixed).toEqualTypeOf<Recovery<'none' | null>>()
    expectTypeOf(mixed(getStock)).toEqualTypeOf<Handler<Sku, number | 'none' | null>>()
    expectTypeOf(policies()).toEqualTypeOf<Policy>()
    const dynamic: Policy[] = [guarded]
    expectTypeOf(policies(...dynamic)).toEqualTypeOf<Policy>()
    expectTypeOf(policies(guarded, fallback(1 as number))).toEqualTypeOf<Recovery<number>>()
    expectTypeOf<Policy>().toExtend<Recovery<'x'>>()
    // @ts-expect-error a recovery is not a policy
    const narrowed: Policy = mixed
    // @ts-expect-error its alternative is of another type
    const other: Recovery<'some'> = mixed
    expect([narrowed, other]).toEqual([mixed, mixed])
    typed(() => {
      // @ts-expect-error a handler is no policy
      policies(getStock)
      // @ts-expect-error a wrapper becomes one by policy()
      policies((next) => next)
    })
  })

  test('of wrap: the function keeps its type', () => {
    interface Over {
      (a: string): Promise<string>
      (a: number, b: boolean): Promise<number>
    }
    const over = (async () => 1) as unknown as Over
    expectTypeOf(guarded.wrap(over)).toEqualTypeOf<Over>()
    const generic = async <T>(x: T) => [x] as const
    const kept: typeof generic = guarded.wrap(generic)
    typed(() => expectTypeOf(kept('a' as const)).toEqualTypeOf<Promise<readonly ['a']>>())
    const one = async (a: string, b?: number) => a.length + (b ?? 0)
    expectTypeOf(mixed.wrap(one)).toEqualTypeOf<(a: string, b?: number) => Promise<number | 'none' | null>>()
    typed(() => {
      guarded.wrap(async (tenant: string) => tenant, { options: (tenant) => ({ keys: { tenant } }) })
      // @ts-expect-error there is no such argument
      guarded.wrap(async () => 1, { options: (a: string, b: string) => ({ keys: { a, b } }) })
      // @ts-expect-error no promise, nothing to wait for
      guarded.wrap(() => 1)
    })
    expect(guarded.wrap(over)).not.toBe(over)
  })

  test('of wrapMethods: the target keeps its type', () => {
    class Client {
      async get(key: string) {
        return key
      }
    }
    expectTypeOf(guarded.wrapMethods(new Client(), ['get'])).toEqualTypeOf<Client>()
    typed(() => {
      // @ts-expect-error there is no such method
      guarded.wrapMethods(new Client(), ['getAll'])
    })
    expect(guarded.wrapMethods(new Client(), ['get'])).toBeInstanceOf(Client)
  })

  test('of policy(): a wrapper is blind to what it wraps', () => {
    expectTypeOf(policy('mine', (next) => async (input, ctx) => next(input, ctx))).toEqualTypeOf<Policy>()
    policy('tagged', (next) => async (input, ctx) => next(input, ctx.with({ attempt: 2 })))
    // @ts-expect-error it cannot make up a result
    policy('cheats', () => async () => 42)
    // @ts-expect-error nor an input
    policy('cheats', (next) => async (_, ctx) => next(5, ctx))
    // @ts-expect-error a bare function has no run
    const bare: Policy = ((next) => async (input, ctx) => next(input, ctx)) satisfies Wrapper
    expect(bare).toBeTypeOf('function')
  })

  test('of a stack: inputs, contexts and alternatives are inferred through it', () => {
    const decoded =
      <T>(read: (value: unknown) => T): Layer<unknown, T> =>
      (next) =>
      async (input, ctx) =>
        next(read(input), ctx)
    const signedIn = (): Layer<Sku, Sku, Context, Context & { readonly user: string }> => (next) => (input, ctx) =>
      next(input, ctx.with({ user: 'u' }))
    const toSku = (value: unknown) => value as Sku
    const base = stack<unknown>().use(decoded(toSku))
    expectTypeOf(base.use(guarded).handle(async (input, ctx) => input.sku.length + ctx.attempt)).toEqualTypeOf<Handler<unknown, number>>()
    expectTypeOf(
      stack<unknown>()
        .use(fallback(0 as const))
        .use(decoded(toSku))
        .handle(async ({ sku }) => sku),
    ).toEqualTypeOf<Handler<unknown, string | 0>>()
    expectTypeOf(
      stack<Sku>()
        .use(guarded)
        .use(signedIn())
        .handle(async (_, { user }) => user),
    ).toEqualTypeOf<Handler<Sku, string>>()
    expectTypeOf(
      stack<number>()
        .use((next) => async (input, ctx) => next(input, ctx))
        .handle(async (n) => n),
    ).toEqualTypeOf<Handler<number, number>>()
    const onMessage = stack<Sku, MessageContext>().use(guarded)
    expectTypeOf(onMessage.handle(async (_, ctx) => ctx.deliveryCount)).toEqualTypeOf<Handler<Sku, number, MessageContext>>()
    typed(() => {
      // @ts-expect-error nobody is signed in
      stack<Sku>().handle(async (_, { user }) => user)
      // @ts-expect-error signed in before it was decoded
      stack<unknown>().use(signedIn())
      // @ts-expect-error a layer is a function
      stack().use(5)
    })
    expect(base).toBeDefined()
  })

  test('of a context: with() adds to the type, and nothing can be written', () => {
    const context = createContext({ tenant: 'acme' })
    expectTypeOf(context.with({ user: 'u1' })).toEqualTypeOf<Context & { user: string }>()
    expectTypeOf(context.with({ user: 'u1' }).with({ n: 1 }).user).toEqualTypeOf<string>()
    expectTypeOf(context.tenant).toEqualTypeOf<string | undefined>()
    typed(() => {
      // @ts-expect-error it is read-only
      context.attempt = 2
      // @ts-expect-error so are its keys
      context.keys.host = 'a'
      // @ts-expect-error an unknown member
      createContext({ deadline: 5 })
      // @ts-expect-error a change is an object
      context.with('tenant')
    })
    expect(context.with({ user: 'u1' }).user).toBe('u1')
  })

  test('of errors: our codes are completed, and any other is allowed', () => {
    const error = new HoldfastError('MINE', 'x')
    expectTypeOf(error.effect).toEqualTypeOf<'none' | 'unknown'>()
    expectTypeOf<'TIMEOUT'>().toExtend<HoldfastCode>()
    expectTypeOf<'MINE'>().not.toExtend<HoldfastCode>()
    const caught: unknown = error
    // Outside a condition it is unknown still.
    if (caught instanceof HoldfastError) expectTypeOf(caught).toEqualTypeOf<HoldfastError>()
    else expectTypeOf(caught).toEqualTypeOf<unknown>()
    expect(caught).toBe(error)
  })

  test('of options: read as their rules say', () => {
    const read = checkOptions(
      'it',
      { mode: 'a', timeoutMs: 5 },
      {
        mode: oneOf(['a', 'b'], 'a'),
        timeoutMs: required(durationMs({ default: 1 })),
        extra: optional(durationMs({ default: 1 })),
      },
    )
    expectTypeOf(read).toEqualTypeOf<{ readonly mode: 'a' | 'b'; readonly timeoutMs: number; readonly extra: number | undefined }>()
    // @ts-expect-error the default is one of them
    oneOf(['a', 'b'], 'c')
    expect(read.timeoutMs).toBe(5)
  })

  test('of events and schemas', () => {
    const events: Events<{ readonly opened: { readonly n: number } }> = new Emitter<{ readonly opened: { readonly n: number } }>()
    events.on('opened', (event) => expectTypeOf(event).toEqualTypeOf<{ readonly n: number }>())
    typed(() => {
      // @ts-expect-error there is no such event
      events.on('closed', () => {})
      expectTypeOf(parse('it', null as unknown as Schema<Sku>, 1)).toEqualTypeOf<Promise<Sku>>()
    })
    expect(events.once('opened', () => {})).toBeTypeOf('function')
  })
})
