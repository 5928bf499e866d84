import { afterEach, describe, expect, test, vi } from 'vitest'
import { createContext } from '../../src/core/create-context.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Policy } from '../../src/core/handler.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { Waiting } from '../../src/core/waiting.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { countedSignal, deferred, inside, refusedBy, settled, virtualTime } from './support.ts'

virtualTime()

const permit = { leave: () => {} }
const passes = guard({ name: 'g', enter: () => permit })
const through = policy('through', (next) => (input, ctx) => next(input, ctx))

afterEach(() => {
  vi.unstubAllGlobals()
})

const made = (): { controllers: number } => {
  const count = { controllers: 0 }
  const Real = AbortController
  vi.stubGlobal(
    'AbortController',
    class extends Real {
      constructor() {
        super()
        count.controllers += 1
      }
    },
  )
  return count
}

describe('the signal', () => {
  test('is made only when it is read, once', async () => {
    const clock = testClock()
    const controller = new AbortController()
    const count = made()
    const all = policies(retry({ clock }), fallback(1), through, passes, bulkhead(), timeout({ timeoutMs: 50, clock }))
    await all.run((ctx) => [ctx.aborted, ctx.remainingMs, ctx.attempt, ctx.idempotencyKey], { signal: controller.signal, timeoutMs: 20 })
    expect(count.controllers).toBe(0)
    await all.run((ctx) => expect(ctx.signal).toBe(ctx.signal))
    expect(count.controllers).toBe(1)
  })

  test('aborts with the reason of the one above, at once', () => {
    const controller = new AbortController()
    const context = createContext({ signal: controller.signal })
    const [own, below] = [context.signal, context.with({ tenant: 'a' }).signal]
    expect(own).not.toBe(controller.signal)
    controller.abort('why')
    expect([own.aborted, own.reason, below.aborted, below.reason]).toEqual([true, 'why', true, 'why'])
  })

  test('read late is aborted already, for the same reason', () => {
    const controller = new AbortController()
    const context = createContext({ signal: controller.signal })
    const child = context.with({})
    controller.abort('why')
    expect([context.aborted, child.aborted, child.signal.aborted, child.signal.reason]).toEqual([true, true, true, 'why'])
    expect(inside(child).reason).toBe('why')
    expect(createContext({ signal: AbortSignal.abort('before') }).signal.reason).toBe('before')
  })

  test('of a sibling hears nothing', () => {
    const controller = new AbortController()
    const context = createContext()
    const [a, b] = [inside(context.with({ timeoutMs: 1_000 })), context.with({ timeoutMs: 1_000 })]
    const [first, second] = [a.signal, b.signal]
    a.abort('mine')
    a.abort('again')
    expect([first.reason, second.aborted, controller.signal.aborted]).toEqual(['mine', false, false])
    inside(b).end()
  })

  test('of a context with two sources hears whichever comes first', async () => {
    const [one, two] = [new AbortController(), new AbortController()]
    const parent = createContext({ signal: one.signal })
    const answers = [one, two].map(async (source) => {
      const task = passes.run(({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))), {
        context: parent.with({}),
        signal: two.signal,
      })
      source.abort(source === one ? 'one' : 'two')
      return (await refusedBy(task)).cause
    })
    expect(await Promise.all(answers.toReversed())).toEqual(['one', 'one'])
  })

  test('tells whoever waits, and one who comes too late at once', () => {
    const controller = new AbortController()
    const context = inside(createContext({ signal: controller.signal }))
    class Told extends Waiting {
      readonly reasons: unknown[] = []
      abortedBy(reason: unknown): void {
        this.reasons.push(reason)
      }
    }
    const [early, left, late] = [new Told(), new Told(), new Told()]
    context.listen(early)
    context.listen(left)
    context.unlisten(left)
    context.unlisten(left)
    controller.abort('why')
    context.listen(late)
    expect([early.reasons, left.reasons, late.reasons]).toEqual([['why'], [], ['why']])
    const nobody = new Told()
    inside(createContext()).listen(nobody)
    inside(createContext()).unlisten(nobody)
    expect([nobody.prev, nobody.reasons]).toEqual([null, []])
  })
})

describe("a caller's signal", () => {
  const kinds: Array<[string, () => Policy]> = [
    ['nothing', () => policies()],
    ['a guard', () => passes],
    ['a wrapper', () => through],
    ['a bulkhead', () => bulkhead({ concurrent: 1, queued: 20_000 })],
    ['a timeout', () => timeout({ timeoutMs: 1_000, clock: testClock() })],
    ['a retry around a timeout', () => policies(retry(), timeout({ timeoutMs: 1_000, clock: testClock() }))],
    ['a guard around a timeout', () => policies(passes, timeout({ timeoutMs: 1_000, clock: testClock() }))],
  ]

  test.each(kinds)('carries at most one listener for 10^4 calls through %s, and none after the turn', async (_, make) => {
    const guarded = make()
    const counted = countedSignal()
    const gate = deferred()
    const calls = Array.from({ length: 10_000 }, (_, n) =>
      guarded.run(
        (ctx) => {
          if (n % 2 === 0) void ctx.signal
          return gate.promise
        },
        { signal: counted.signal },
      ),
    )
    expect([counted.listeners, counted.most]).toEqual([1, 1])
    gate.resolve(1)
    await Promise.all(calls)
    await settled()
    expect([counted.listeners, counted.most]).toEqual([0, 1])
  })

  test.each(kinds)('answers every one of many calls through %s at once', async (_, make) => {
    const guarded = make()
    const counted = countedSignal()
    const calls = Array.from({ length: 100 }, () => guarded.tryRun(() => new Promise(() => {}), { signal: counted.signal }))
    await settled()
    counted.abort('gone')
    for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ ok: false, error: { code: 'ABORTED', cause: 'gone' } })
    await settled()
    expect(counted.listeners).toBe(0)
  })

  test.each(kinds)('carries one through a context as well, and none when the calls are over (%s)', async (_, make) => {
    const guarded = make()
    const counted = countedSignal()
    const context = createContext({ signal: counted.signal })
    const gate = deferred()
    const calls = Array.from({ length: 1_000 }, (_, n) =>
      guarded.run(() => gate.promise, n % 2 === 0 ? { context } : { context, timeoutMs: 99 }),
    )
    expect(counted.listeners).toBe(1)
    gate.resolve(1)
    await Promise.all(calls)
    await settled()
    expect(counted.listeners).toBe(0)
  })

  test('is left under a long-lived context by calls whose work has read its own signal', async () => {
    const clock = testClock()
    const slow = guard({ name: 'slow', keeps: true, enter: async () => permit })
    for (const guarded of [
      bulkhead(),
      policies(bulkhead(), bulkhead()),
      slow,
      timeout({ timeoutMs: 50, clock }),
      policies(...Array(5).fill(bulkhead())),
    ]) {
      const counted = countedSignal()
      const context = createContext({ signal: counted.signal })
      await guarded.run((ctx) => void ctx.signal, { context })
      await settled()
      expect([counted.listeners, counted.most]).toEqual([0, 1])
      await expect(
        guarded.run(
          (ctx) => {
            void ctx.signal
            throw new Error('x')
          },
          { context },
        ),
      ).rejects.toThrow('x')
      await settled()
      expect(counted.listeners).toBe(0)
    }
  })

  test('is left although a guard of ours or of theirs has read the signal', async () => {
    const clock = testClock()
    const reads = guard({
      name: 'reads',
      enter: (ctx) => {
        void ctx.signal
        return permit
      },
    })
    for (const guarded of [reads, policies(reads, timeout({ timeoutMs: 50, clock })), policies(reads, passes), policies(through, reads)]) {
      const counted = countedSignal()
      await guarded.run(() => 1, { signal: counted.signal, timeoutMs: 10 })
      await settled()
      expect([counted.listeners, clock.pending]).toEqual([0, 0])
    }
  })

  test('stays with a call whose work is held, and leaves when the hold ends', async () => {
    for (const guarded of [bulkhead(), policies(), timeout({ timeoutMs: 1_000, clock: testClock() })]) {
      const counted = countedSignal()
      const held = deferred()
      let inner: AbortSignal | undefined
      await guarded.run(
        (ctx) => {
          inner = ctx.signal
          ctx.hold(held.promise)
        },
        { signal: counted.signal },
      )
      await settled()
      expect(counted.listeners).toBe(1)
      counted.abort('gone')
      expect(inner?.aborted).toBe(true)
      held.resolve(1)
      await settled()
    }
    const counted = countedSignal()
    const held = deferred()
    await bulkhead().run((ctx) => ctx.hold(held.promise), { signal: counted.signal })
    held.resolve(1)
    await settled()
    expect(counted.listeners).toBe(0)
  })

  test('and a deadline together: whichever comes first is the answer', async () => {
    const clock = testClock()
    for (const first of ['deadline', 'signal']) {
      const counted = countedSignal()
      const context = createContext({ clock })
      const answer = refusedBy(bulkhead().run(() => new Promise(() => {}), { context, signal: counted.signal, timeoutMs: 50 }))
      expect(clock.pending).toBe(1)
      if (first === 'signal') counted.abort()
      else await clock.advance(50)
      expect((await answer).code).toBe(first === 'signal' ? 'ABORTED' : 'DEADLINE')
      await settled()
      expect([counted.listeners, clock.pending]).toEqual([0, 0])
    }
  })
})
