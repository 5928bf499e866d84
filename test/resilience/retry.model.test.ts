import fc from 'fast-check'
import { expect, test } from 'vitest'
import { declined, HoldfastError, type Outcome, policies, retry, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, within } from './support.ts'

/** What an attempt comes to. */
type Ending = 'ok' | 'error' | 'status' | 'nothing' | 'unsent' | 'asks' | 'refused' | 'refused, asks' | 'declined'

const ASKED_MS = 700
const thrown: Record<Exclude<Ending, 'ok'>, () => unknown> = {
  error: () => new Error('boom'),
  status: () => ({ status: 503 }),
  nothing: () => undefined,
  unsent: () => Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' }),
  asks: () => ({ status: 429, retryAfterMs: ASKED_MS }),
  refused: () => new HoldfastError('BULKHEAD_FULL', 'full', { effect: 'none', retry: 'later' }),
  'refused, asks': () => new HoldfastError('BREAKER_OPEN', 'open', { effect: 'none', retry: 'later', retryAfterMs: ASKED_MS }),
  declined: () => declined('no'),
}
const isRefused = (ending: Ending): boolean => ending.startsWith('refused')

interface Plan {
  readonly attempts: number
  readonly delayMs: number
  readonly delayMaxMs: number
  readonly backoff: 'constant' | 'exponential'
  readonly elapsedMaxMs: number
  readonly deadlineMs: number
  readonly chance: number
  readonly tookMs: number
  readonly abortMs: number
  readonly shape: 'alone' | 'around a timeout'
}

interface Expected {
  readonly startsMs: number[]
  readonly endMs: number
  readonly answer: unknown
}

/** The documentation of retry, as a calculation. `last` goes on for ever. */
function expected(plan: Plan, script: readonly Ending[]): Expected {
  const startsMs: number[] = []
  let nowMs = 0
  let used = 0
  let unsure: Ending | undefined
  for (let n = 0; ; n++) {
    startsMs.push(nowMs)
    const ending = script[Math.min(n, script.length - 1)] as Ending
    const endMs = nowMs + (isRefused(ending) ? 0 : plan.tookMs)
    if (Math.min(plan.abortMs, plan.deadlineMs) <= endMs)
      return { startsMs, endMs: Math.min(plan.abortMs, plan.deadlineMs), answer: plan.abortMs < plan.deadlineMs ? 'ABORTED' : 'DEADLINE' }
    nowMs = endMs
    if (ending === 'ok') return { startsMs, endMs: nowMs, answer: 'ok' }
    const none = isRefused(ending) || ending === 'unsent'
    if (!none && ending !== 'declined') unsure = ending
    const answer = none && unsure !== undefined ? unsure : ending
    if (!isRefused(ending)) used += 1
    if (ending === 'declined' || used === plan.attempts) return { startsMs, endMs: nowMs, answer }
    const nth = isRefused(ending) ? used + 1 : used
    const drawnMs =
      plan.backoff === 'constant' ? plan.delayMs : Math.min(plan.delayMaxMs, plan.delayMs * 2 ** (nth - 1)) * (0.5 + plan.chance / 2)
    const askedMs = ending === 'asks' || ending === 'refused, asks' ? ASKED_MS : 0
    const delayMs = Math.max(drawnMs, askedMs, isRefused(ending) ? 10 : 0)
    const boundMs = Math.min(plan.deadlineMs, plan.elapsedMaxMs)
    const unbounded = boundMs === Number.POSITIVE_INFINITY
    if (nowMs + delayMs >= boundMs || (unbounded && (isRefused(ending) || delayMs > plan.delayMaxMs)))
      return { startsMs, endMs: nowMs, answer }
    if (plan.abortMs <= nowMs + delayMs) return { startsMs, endMs: plan.abortMs, answer: 'ABORTED' }
    nowMs += delayMs
  }
}

const never = Number.POSITIVE_INFINITY
// Aborts and deadlines never fall on the same instant as the end of a delay, so that no order among timers is assumed.
const plan: fc.Arbitrary<Plan> = fc.record({
  attempts: fc.integer({ min: 1, max: 6 }),
  delayMs: fc.constantFrom(0, 1, 50, 100),
  delayMaxMs: fc.constantFrom(100, 150, 1_000),
  backoff: fc.constantFrom('constant' as const, 'exponential' as const),
  elapsedMaxMs: fc.constantFrom(never, never, 0, 400.5, 5_000.5),
  deadlineMs: fc.constantFrom(never, never, 90.3, 900.3, 3_000.3),
  chance: fc.constantFrom(0, 0.5, 1 - Number.EPSILON / 2),
  tookMs: fc.constantFrom(0, 5, 40),
  abortMs: fc.constantFrom(never, never, never, 33.7, 222.7, 1_111.7),
  shape: fc.constantFrom('alone' as const, 'around a timeout' as const),
})
const ending: fc.Arbitrary<Ending> = fc.constantFrom('error', 'error', 'ok', ...(Object.keys(thrown) as Exclude<Ending, 'ok'>[]))

/** What the attempts threw, by which a caller's error is recognised. */
interface Thrown {
  readonly how: Ending
  readonly error: unknown
}

function answerOf(outcome: Outcome<unknown>, thrown: readonly Thrown[]): unknown {
  if (outcome.ok) return 'ok'
  return thrown.findLast(({ error }) => error === outcome.error)?.how ?? codeOf(outcome)
}

async function actual(plan: Plan, script: readonly Ending[]) {
  const clock = testClock()
  const { attempts, delayMs, delayMaxMs, backoff, elapsedMaxMs, tookMs } = plan
  const elapsed = elapsedMaxMs === never ? {} : { elapsedMaxMs }
  const again = retry({ attempts, delayMs, delayMaxMs, backoff, ...elapsed, random: () => plan.chance, clock })
  const guard = plan.shape === 'alone' ? again : policies(again, timeout({ timeoutMs: 100_000, clock }))
  const { signal, abort, listeners } = countedSignal()
  if (plan.abortMs !== never) clock.setTimer(abort, plan.abortMs)
  const errors: Thrown[] = []
  const startsMs: number[] = []
  const numbers: number[] = []
  const keys = new Set<string>()
  let endMs = Number.NaN
  const call = guard.tryRun(
    async (ctx) => {
      const how = script[Math.min(startsMs.length, script.length - 1)] as Ending
      startsMs.push(clock.nowMs())
      numbers.push(ctx.attempt)
      keys.add(ctx.idempotencyKey)
      if (!isRefused(how) && tookMs > 0) await new Promise<void>((resolve) => void clock.setTimer(resolve, tookMs))
      if (how === 'ok') return how
      const error = thrown[how]()
      errors.push({ how, error })
      throw error
    },
    { signal, ...(plan.deadlineMs === never ? {} : within(plan.deadlineMs, clock)) },
  )
  void call.then(() => {
    endMs = clock.nowMs()
  })
  await clock.advance(100_000)
  return {
    startsMs,
    endMs,
    answer: answerOf(await call, errors),
    numbers,
    keys: keys.size,
    left: [clock.pending, listeners()],
  }
}

test('a retry does what its documentation says, to the millisecond', async () => {
  await fc.assert(
    fc.asyncProperty(plan, fc.array(ending, { minLength: 1, maxLength: 8 }), async (plan, script) => {
      const { startsMs, endMs, answer } = expected(plan, script)
      const attempt = (n: number) =>
        1 + startsMs.slice(0, n).filter((_, i) => !isRefused(script[Math.min(i, script.length - 1)] as Ending)).length
      const numbers = startsMs.map((_, n) => attempt(n))
      expect(await actual(plan, script)).toEqual({ startsMs, endMs, answer, numbers, keys: 1, left: [0, 0] })
    }),
    { numRuns: 600 },
  )
}, 60_000)
