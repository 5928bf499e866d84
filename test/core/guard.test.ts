import { describe, expect, test, vi } from 'vitest'
import type { Context } from '../../src/core/context.ts'
import { refusal } from '../../src/core/errors.ts'
import { type Guard, isPending, isPermit, type Permit } from '../../src/core/guard.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Policy } from '../../src/core/handler.ts'
import { policies } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { hostile, settled, thrownBy, uncaughtWhile, virtualTime } from './support.ts'

virtualTime()

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
