import { describe, expect, test, vi } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { refusal } from '../../src/core/errors.ts'
import { type Guard, isPending, isPermit, type Permit } from '../../src/core/guard.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Handler, Policy, Wrapper } from '../../src/core/handler.ts'
import { makePolicy, policies, policy, policyKind } from '../../src/core/policy.ts'
import { containsRetry, ownerOf } from '../../src/core/policy-inside.ts'
import { stack } from '../../src/core/stack.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { hostile, refusedBy, rubbish, settled, thrownBy, uncaughtWhile, virtualTime } from './support.ts'

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

describe('guard()', () => {
  const made = (enter: unknown, more: object = {}): Policy => guard({ name: 'mine', enter, ...more } as Guard)

  test('is told of every call once, with times where it asks for them', async () => {
    const clock = testClock()
    for (const timed of [true, 'leave', undefined] as const) {
      const leave = vi.fn()
      const seen: number[] = []
      const enter = (_: Context, nowMs: number) => {
        seen.push(nowMs)
        return { leave }
      }
      await clock.advance(5)
      const guarded = guard({ name: 'mine', clock, enter, ...(timed !== undefined && { timed }) })
      const startMs = clock.nowMs()
      const answer = guarded.run(() => new Promise((resolve) => void clock.setTimer(() => resolve(1), 10)))
      await clock.advance(10)
      await answer
      expect(seen).toEqual([timed === true ? startMs : 0])
      expect(leave.mock.calls).toEqual([[true, 1, timed === true ? startMs : 0, timed === undefined ? 0 : startMs + 10]])
    }
  })

  test('may be an object with a class of its own', async () => {
    class Gauge implements Guard {
      readonly name = 'gauge'
      #running = 0
      most = 0
      get keeps() {
        return this.#running >= 0
      }
      enter(): Permit {
        this.#running += 1
        this.most = Math.max(this.most, this.#running)
        return {
          leave: () => {
            this.#running -= 1
          },
        }
      }
    }
    const gauge = new Gauge()
    await Promise.all([1, 2].map(() => guard(gauge).run(async () => 1)))
    expect(gauge.most).toBe(2)
  })

  test.each<[string, unknown, string]>([
    ['null', null, 'guard: enter must be a function, got null'],
    ['nothing', undefined, 'guard: enter must be a function, got undefined'],
    ['a function', () => 1, 'guard: enter must be a function'],
    ['no enter', { name: 'g' }, 'guard: enter must be a function'],
    ['no name', { enter: () => 1 }, 'guard: name must be a text of 1 to 200 characters, got undefined'],
    ['a racer', { name: 'g', enter: () => 1, races: true }, 'guard g: races must be absent'],
    ['a clock that is none', { name: 'g', enter: () => 1, clock: Date }, 'guard g: clock must be a clock with nowMs, epochMs and setTimer'],
  ])('refuses %s', (_, own, message) => {
    expect(thrownBy(() => guard(own as Guard)).message).toContain(message)
  })

  const bug = new Error('a bug')
  const none = /^guard mine: enter must answer with a permit or a refusal, got /
  const broken: Array<[string, () => unknown, RegExp]> = [
    [
      'throws',
      () => {
        throw bug
      },
      /^guard mine: enter must never throw, it threw a Error/,
    ],
    ['rejects', () => Promise.reject(bug), /^guard mine: enter must never throw, it threw a Error/],
    [
      'throws a text',
      () => {
        throw 'a text'
      },
      /^guard mine: enter must never throw, it threw "a text"/,
    ],
    [
      'throws its refusal',
      () => {
        throw refusal('BULKHEAD_FULL', 'full up')
      },
      /^full up$/,
    ],
    ['answers an error that is none of ours', () => bug, none],
    ['answers nothing', () => undefined, none],
    ['answers true', () => true, none],
    ['promises nothing', async () => undefined, none],
    ['answers an object', () => ({}), none],
    ['answers a revoked proxy', () => hostile[0]?.[1], /^guard mine: enter must never throw/],
    ['answers a proxy that throws', () => hostile[1]?.[1], /^guard mine: enter must never throw/],
  ]
  test.each(broken)('that %s refuses the call, and what is around it stays balanced', async (_, enter, message) => {
    const slots = bulkhead({ concurrent: 1 })
    const clock = testClock()
    const task = vi.fn()
    const wholes = [
      policies(slots, made(enter)),
      policies(made(enter), slots),
      policies(slots, made(enter), timeout({ timeoutMs: 5, clock }), slots),
    ]
    for (const whole of wholes) {
      await expect(whole.run(task)).rejects.toThrow(message)
      expect(await whole.tryRun(task)).toMatchObject({ ok: false, effect: 'none' })
    }
    await settled()
    expect([task.mock.calls.length, slots.running, clock.pending]).toEqual([0, 0, 0])
  })

  test.each([undefined, { timeoutMs: 60_000 }])('whose permits throw costs nobody an answer or a slot (options %j)', async (options) => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 1 })
    const permit: Permit = {
      leave() {
        throw bug
      },
      release() {
        throw bug
      },
    }
    for (const kept of [permit, { leave: permit.leave }]) {
      const own = made(() => kept, { keeps: true })
      const wholes = [
        own,
        policies(own, own),
        policies(own, slots),
        policies(slots, own),
        policies(own, timeout({ timeoutMs: 5, clock }), slots),
      ]
      for (const whole of wholes) {
        const uncaught = await uncaughtWhile(async () => {
          expect(await whole.run(async () => 1, options)).toBe(1)
          await expect(whole.run(() => Promise.reject('broken'), options)).rejects.toBe('broken')
        })
        expect(new Set(uncaught)).toEqual(new Set([bug]))
        expect(uncaught).toHaveLength(2 * (whole === wholes[1] ? 2 : 1) * (kept === permit ? 2 : 1))
      }
    }
    expect([slots.running, clock.pending]).toEqual([0, 0])
  })

  test('may make a permit for each call, or share one, bound or not', async () => {
    const left: string[] = []
    let number = 0
    const own = made(() => {
      const name = String(number++)
      return { leave: () => void left.push(name) }
    })
    await Promise.all([own.run(settled), own.run(settled), own.run(async () => 1)])
    expect(left).toEqual(['2', '0', '1'])
    const bound = { ok: (value: unknown) => `${value} bound`, bad: (): never => Promise.reject('never') as never }
    expect(await made(() => ({ leave: () => {}, bound })).run(() => 1)).toBe('1 bound')
  })

  test('is given a real context, also where a call began without one', async () => {
    const seen: Context[] = []
    const enter = (ctx: Context) => {
      seen.push(ctx.with({ tenant: 'a' }))
      void ctx.idempotencyKey
      return { leave: () => {} }
    }
    const own = made(enter)
    for (const whole of [
      own,
      policies(own, own),
      policies(bulkhead(), own),
      policies(timeout({ timeoutMs: 5 }), own),
      policies(retry(), own),
    ]) {
      expect(await whole.run((ctx) => ctx.attempt)).toBe(1)
      expect(await whole(async () => 1)(1, undefined as never)).toBe(1)
    }
    expect(seen.length).toBe(12)
    expect(new Set(seen.map((ctx) => ctx.idempotencyKey)).size).toBe(10)
  })

  test('refusals and permits are told apart', () => {
    expect([isPermit({ leave: () => {} }), isPermit(bug as never), isPending(Promise.resolve() as never), isPending(bug as never)]).toEqual(
      [true, false, true, false],
    )
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
