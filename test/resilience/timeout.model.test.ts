import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createContext, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, settled } from './support.ts'

const TIMEOUT_MS = 100
const never = Number.POSITIVE_INFINITY

interface Call {
  readonly startMs: number
  readonly tookMs: number
  readonly ok: boolean
  /** Of its context, from the start; 0: it had passed. */
  readonly deadlineMs: number
  readonly abortMs: number
  readonly listens: boolean
}

// Fractions keep instants apart, so that no order among timers is assumed.
const call: fc.Arbitrary<Call> = fc.record({
  startMs: fc.integer({ min: 0, max: 150 }),
  tookMs: fc.constantFrom(0.1, 30.1, 99.1, 101.1, 250.1),
  ok: fc.boolean(),
  deadlineMs: fc.constantFrom(never, never, 0, 10.2, 99.2, 100.2, 1_000.2),
  abortMs: fc.constantFrom(never, never, never, 20.3, 99.3, 200.3),
  listens: fc.boolean(),
})

function expected({ startMs, tookMs, ok, deadlineMs, abortMs }: Call) {
  if (deadlineMs === 0) return { answer: 'DEADLINE', effect: 'none', endMs: startMs, aborted: undefined }
  const first = Math.min(tookMs, deadlineMs, abortMs, TIMEOUT_MS)
  const answer = first === tookMs ? (ok ? 'ok' : 'late') : first === TIMEOUT_MS ? 'TIMEOUT' : first === abortMs ? 'ABORTED' : 'DEADLINE'
  const effect = answer === 'ok' ? undefined : 'unknown'
  return { answer, effect, endMs: startMs + first, aborted: first !== tookMs }
}

test('calls that share one timeout are each answered in their own time, and only the late ones are aborted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 12 }), async (calls) => {
      const clock = testClock()
      const late = timeout({ timeoutMs: TIMEOUT_MS, clock })
      const answers: unknown[] = calls.map(() => undefined)
      const { signal, listeners } = countedSignal()
      calls.forEach((each, n) => {
        clock.setTimer(() => {
          const own = new AbortController()
          if (each.abortMs !== never) clock.setTimer(() => own.abort(), each.abortMs)
          const timeoutMs = each.deadlineMs === never ? {} : { timeoutMs: each.deadlineMs }
          const context = createContext({ signal: each.abortMs === never ? signal : own.signal, ...timeoutMs, clock })
          let seen: AbortSignal | undefined
          let whileWorking: boolean | undefined
          const outcome = late.tryRun(
            (ctx) =>
              new Promise((resolve, reject) => {
                if (each.listens) seen = ctx.signal
                clock.setTimer(() => {
                  whileWorking = seen?.aborted ?? ctx.aborted
                  if (each.ok) resolve(n)
                  else reject('late')
                }, each.tookMs)
              }),
            { context },
          )
          void outcome.then(async (answer) => {
            const endMs = clock.nowMs()
            await new Promise<void>((resolve) => void clock.setTimer(resolve, 300))
            answers[n] = { answer: codeOf(answer), effect: answer.ok ? undefined : answer.effect, endMs, aborted: whileWorking }
          })
        }, each.startMs)
      })
      await clock.advance(5_000)
      expect(answers).toEqual(calls.map(expected))
      await settled()
      expect([clock.pending, listeners()]).toEqual([0, 0])
    }),
    { numRuns: 300 },
  )
}, 60_000)

test('a thousand calls at once keep one timer, and none once they are over', async () => {
  const clock = testClock()
  const late = timeout({ timeoutMs: TIMEOUT_MS, clock })
  const ends: (() => void)[] = []
  const calls = Array.from({ length: 1_000 }, () => late.run(() => new Promise<void>((resolve) => void ends.push(resolve))))
  expect(clock.pending).toBe(1)
  for (const end of ends) end()
  await Promise.all(calls)
  await settled()
  expect(clock.pending).toBe(0)
})

test('the time of a later call is its own, also where the timer was set by an earlier one that is over', async () => {
  const clock = testClock()
  const late = timeout({ timeoutMs: TIMEOUT_MS, clock })
  const first = late.run(() => new Promise((resolve) => void clock.setTimer(() => resolve(1), 60)))
  await clock.advance(50)
  const second = late.tryRun(() => new Promise(() => {}))
  await clock.advance(10)
  expect(await first).toBe(1)
  let told: unknown
  void second.then((outcome) => {
    told = codeOf(outcome)
  })
  await clock.advance(89.9)
  expect(told).toBe(undefined)
  await clock.advance(0.1)
  expect(told).toBe('TIMEOUT')
})

test.each([99, 100])('inside a deadline of %i ms, which is as tight, it sets no timer of its own', async (timeoutMs) => {
  const clock = testClock()
  const context = createContext({ timeoutMs, clock })
  const call = timeout({ timeoutMs: TIMEOUT_MS, clock }).tryRun(() => new Promise(() => {}), { context })
  expect(clock.pending).toBe(1)
  await clock.advance(timeoutMs)
  expect(codeOf(await call)).toBe('DEADLINE')
})

test('inside a looser deadline it sets its own, and the work sees the tighter of the two', async () => {
  const clock = testClock()
  const context = createContext({ timeoutMs: 1_000, clock })
  const remainingMs: number[] = []
  const call = timeout({ timeoutMs: TIMEOUT_MS, clock }).tryRun(
    (ctx) => {
      remainingMs.push(ctx.remainingMs)
      return new Promise(() => {})
    },
    { context },
  )
  await clock.advance(TIMEOUT_MS)
  expect(codeOf(await call)).toBe('TIMEOUT')
  expect(remainingMs).toEqual([TIMEOUT_MS])
  expect(context.aborted).toBe(false)
})
