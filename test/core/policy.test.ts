import { describe, expect, test, vi } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import type { Guard } from '../../src/core/guard.ts'
import type { Handler, Policy, Wrapper } from '../../src/core/handler.ts'
import { makePolicy, policies, policy, policyKind } from '../../src/core/policy.ts'
import { containsRetry, ownerOf } from '../../src/core/policy-inside.ts'
import { stack } from '../../src/core/stack.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { refusedBy, rubbish, settled, thrownBy, virtualTime } from './support.ts'

virtualTime()

const noted = (name: string, seen: string[]): Policy =>
  policy(name, (next) => async (input, ctx) => {
    seen.push(`${name} in`)
    try {
      return await next(input, ctx)
    } finally {
      seen.push(`${name} out`)
    }
  })

describe('policy()', () => {
  test('wraps outermost first, and is composed once for many calls', async () => {
    const seen: string[] = []
    const wrapper = vi.fn((next: Handler<unknown, unknown>) => (input: unknown, ctx: Context) => next(input, ctx))
    const counted = policy('counted', wrapper as unknown as Wrapper)
    const all = policies(noted('a', seen), counted, noted('b', seen))
    for (let n = 0; n < 3; n++) await all.run(() => void seen.push('work'))
    expect(seen.slice(0, 5)).toEqual(['a in', 'b in', 'work', 'b out', 'a out'])
    expect(wrapper).toHaveBeenCalledOnce()
  })

  test.each(rubbish.filter(([kind]) => kind !== 'a text'))('refuses %s as a name', (_, name) => {
    expect(thrownBy(() => policy(name as never, (next) => next)).message).toMatch(
      /^policy: name must be a text of 1 to 200 characters, got /,
    )
  })
  test('refuses a name that is too long', () => {
    expect(() => policy('x'.repeat(201), (next) => next)).toThrow('policy: name must be a text of 1 to 200 characters')
    expect(() => policy('x'.repeat(200), (next) => next)).not.toThrow()
  })
  test.each(rubbish.filter(([, value]) => typeof value !== 'function'))('refuses %s as a wrapper', (_, wrapper) => {
    expect(thrownBy(() => policy('mine', wrapper as never)).message).toMatch(
      /^policy mine: wrapper must be a function that takes a handler/,
    )
  })

  const broken: Array<[string, Wrapper, string | RegExp]> = [
    ['makes no handler', (() => undefined) as never, 'policy mine: what its wrapper returns must be a handler, got undefined'],
    ['makes a promise of one', (async (next: unknown) => next) as never, 'policy mine: what its wrapper returns must be a handler'],
    [
      'throws when it is composed',
      () => {
        throw new Error('a bug')
      },
      'a bug',
    ],
    [
      'throws when it is called',
      () => () => {
        throw new Error('a bug')
      },
      'a bug',
    ],
    [
      'forgets the context',
      ((next: (input: unknown) => unknown) => (input: unknown) => next(input)) as never,
      /^policy mine: the context must be/,
    ],
    [
      'spreads the context',
      (next) => (input, ctx) => next(input, { ...ctx }),
      'policy mine: the context must be made by createContext() or by the with() of another, got',
    ],
    [
      'hands on null',
      ((next: (...args: unknown[]) => unknown) => (input: unknown) => next(input, null)) as never,
      /^policy mine: the context must be/,
    ],
  ]
  test.each(broken)('one that %s fails its calls, and takes nothing that it keeps', async (_, wrapper, message) => {
    const slots = bulkhead({ concurrent: 1 })
    const task = vi.fn()
    for (const whole of [policies(policy('mine', wrapper), slots), policies(slots, policy('mine', wrapper), bulkhead())]) {
      for (let n = 0; n < 3; n++) {
        const answer = whole.run(task)
        expect(answer).toBeInstanceOf(Promise)
        await expect(answer).rejects.toThrow(message)
        const quiet = whole.tryRun(task)
        expect(await quiet).toMatchObject({ ok: false })
        await expect(whole.run(task, { timeoutMs: 5 })).rejects.toThrow(message)
      }
    }
    await settled()
    expect([task.mock.calls.length, slots.running]).toEqual([0, 0])
  })

  test('one that returns no promise is answered with what it returns', async () => {
    const value = policy('mine', (() => () => 5) as never)
    const slots = bulkhead()
    for (const whole of [value, policies(slots, value), policies(timeout({ timeoutMs: 5, clock: testClock() }), value)]) {
      expect(await whole.run(() => 1)).toBe(5)
      expect(await whole.tryRun(() => 1)).toEqual({ ok: true, value: 5 })
      expect(await whole(async () => 1)(1, createContext())).toBe(5)
      expect(await whole.wrap(async () => 1)()).toBe(5)
    }
    expect(slots.running).toBe(0)
  })

  test('one that calls twice takes and returns a permit for each', async () => {
    const twice = policy('twice', (next) => async (input, ctx) => {
      const [, second] = await Promise.all([next(input, ctx), next(input, ctx)])
      return second
    })
    const slots = bulkhead({ concurrent: 2 })
    const running: number[] = []
    const task = vi.fn(async () => {
      running.push(slots.running)
      await settled()
      return running.length
    })
    expect(await policies(twice, slots, timeout({ timeoutMs: 5, clock: testClock() })).run(task)).toBe(2)
    expect(running).toEqual([1, 2])
    expect([task.mock.calls.length, slots.running]).toEqual([2, 0])
  })

  test('one that never calls takes nothing further in', async () => {
    const never = policy('never', () => async () => 'mine' as never)
    const slots = bulkhead()
    const task = vi.fn()
    expect(await policies(never, slots).run(task)).toBe('mine')
    expect([task.mock.calls.length, slots.running]).toEqual([0, 0])
  })
})

describe('policies()', () => {
  test('of nothing only calls', async () => {
    expect(await policies().run((ctx) => ctx.attempt)).toBe(1)
    expect(await policies()(async (n: number) => n + 1)(1, createContext())).toBe(2)
  })
  test.each([...rubbish, ['undefined', undefined] as [string, unknown], ['a wrapper that was not made a policy', (next: unknown) => next]])(
    'refuses %s',
    (_, value) => {
      expect(thrownBy(() => policies(value as never)).message).toMatch(
        /^policies: each policy must be made by a policy factory or by policy\(\), got /,
      )
    },
  )
  test('knows whether the work may be called more than once', () => {
    expect(containsRetry(policies(bulkhead(), policies(retry(), bulkhead())))).toBe(true)
    expect(
      containsRetry(
        policies(
          bulkhead(),
          policy('w', (next) => next),
          fallback(1),
        ),
      ),
    ).toBe(false)
    expect(() => containsRetry({} as never)).toThrow('policy: each policy must be made by')
  })
})

describe('a kind of policy', () => {
  const permit = { leave: () => {} }
  test('has its readouts beside run and wrap, also when a function is expected', () => {
    const kind = policyKind({
      get size(): number {
        return ownerOf<Guard & { size: number }>(this).size
      },
    })
    const made = makePolicy<Policy & { readonly size: number }>([{ guard: { name: 'g', size: 7, enter: () => permit } as Guard }], kind)
    expect(made.size).toBe(7)
    expect(typeof made.run).toBe('function')
    expect(made).toBeInstanceOf(Function)
    expect(typeof made.bind).toBe('function')
  })
})

describe('stack()', () => {
  const seen: string[] = []
  test('composes policies and layers outermost first, and changes no stack that it came from', async () => {
    const base = stack<number>().use(noted('a', seen))
    const doubled = base.use((next) => async (input, ctx) => next(input, ctx.with({ doubled: true })))
    const layered = doubled.use(function half(next) {
      return (input: number, ctx: Context) => next(String(input / 2), ctx)
    } as <Out>(next: Handler<string, Out>) => Handler<number, Out>)
    const handler = layered.use(noted('b', seen)).handle(async (text, ctx) => `${text} ${(ctx as Context & { doubled: boolean }).doubled}`)
    expect(await handler(4, createContext())).toBe('2 true')
    expect(seen).toEqual(['a in', 'b in', 'b out', 'a out'])
    expect(await base.handle(async (n) => n)(4, createContext())).toBe(4)
    expect(await stack<number>().handle(async (n, ctx) => n + ctx.attempt)(4, undefined as never)).toBe(5)
  })

  test.each(rubbish.filter(([, value]) => typeof value !== 'function'))('refuses %s in use() and in handle()', (_, value) => {
    expect(thrownBy(() => stack().use(value as never)).message).toMatch(/^stack: what it uses must be a policy or a layer, got /)
    expect(thrownBy(() => stack().handle(value as never)).message).toMatch(/^stack: the handler must be a function, got /)
  })

  test('names the layer that makes no handler', () => {
    const named = stack().use(function decode() {
      return 5
    } as never)
    expect(() => named.handle(async () => 1)).toThrow('stack: decode: what it returns must be a handler, got 5')
    expect(() =>
      stack()
        .use((() => 5) as never)
        .handle(async () => 1),
    ).toThrow('stack: layer: what it returns must be a handler')
  })

  test('refuses a context that is none, from outside and from a layer', async () => {
    const slots = bulkhead({ concurrent: 1 })
    const spreads = stack()
      .use(function spreads(next) {
        return (input: unknown, ctx: Context) => next(input, { ...ctx })
      } as (next: Handler<unknown, unknown>) => Handler<unknown, unknown> as never)
      .use(slots)
      .handle(async () => 1)
    expect((await refusedBy(spreads(1, createContext()))).message).toMatch(/^stack: spreads: the context must be made by createContext\(\)/)
    const plain = stack()
      .use(slots)
      .handle(async () => 1)
    for (const [, value] of rubbish)
      expect((await refusedBy(plain(1, value as Context))).message).toMatch(/^stack: the context must be made by/)
    expect(slots.running).toBe(0)
  })

  test('rejects what is thrown at once', async () => {
    const handler = stack().handle(() => {
      throw new Error('x')
    })
    await expect(handler(1, createContext())).rejects.toThrow('x')
  })
})
