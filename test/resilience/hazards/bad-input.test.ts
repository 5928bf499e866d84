// Whatever a policy is given, it has an answer, and nothing is left behind.
import { describe, expect, test } from 'vitest'
import {
  adaptiveBulkhead,
  bulkhead,
  cache,
  chaos,
  circuitBreaker,
  coalesce,
  countWindow,
  createContext,
  type HoldfastError,
  hedge,
  keyed,
  type Policy,
  policies,
  rateLimit,
  retry,
  retryBudget,
  slidingWindow,
  timeout,
  timeWindow,
  tokenBucket,
} from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { codeOf, deferred, errorOf, thrownBy } from '../support.ts'
import { everyPolicy } from './every-policy.ts'

const NAMES = Object.keys(everyPolicy(testClock()).each)

function one(name: string) {
  const clock = testClock()
  const { each, leaks } = everyPolicy(clock)
  const policy = each[name] as Policy
  if (name === 'chaos') (policy as ReturnType<typeof chaos>).reconfigure({ rate: 0 })
  /** Lets time pass until it is answered. */
  const ended = async <T>(call: Promise<T>): Promise<T> => {
    await clock.advance(1_000)
    const answer = await call
    expect([leaks(), clock.pending]).toEqual([{}, 0])
    return answer
  }
  return { clock, policy, ended }
}

describe('options that cannot be are refused when a policy is made', () => {
  const never = () => policies()
  const limit = tokenBucket({ ratePerSecond: 1 })
  test.each<[string, () => unknown, string]>([
    ['no probes', () => circuitBreaker({ probes: 0 }), 'circuitBreaker: probes must be a whole number of at least 1, got 0'],
    ['a ramp that nothing leads to', () => circuitBreaker({ probes: 0, rampMs: 100 }), 'circuitBreaker: probes must be'],
    [
      'a ramp that ends before it begins',
      () => circuitBreaker({ rampMs: -1 }),
      'circuitBreaker: rampMs must be a number of at least 0, got -1',
    ],
    [
      'an open time that shrinks',
      () => circuitBreaker({ openMs: 10, openMaxMs: 9 }),
      'circuitBreaker: openMaxMs must be at least openMs (10), got 9',
    ],
    [
      'a ratio above 1',
      () => timeWindow({ windowMs: 100, failureRatio: 1.2 }),
      'timeWindow: failureRatio must be a number above 0, at most 1, got 1.2',
    ],
    ['a ratio above 1', () => countWindow({ calls: 10, failureRatio: 1.2 }), 'countWindow: failureRatio must be'],
    [
      'a ratio of slow calls without slow calls',
      () => timeWindow({ windowMs: 100, slowRatio: 0.5 }),
      'timeWindow: slowRatio must be given beside slowCallMs',
    ],
    ['a window of negative length', () => timeWindow({ windowMs: -100 }), 'timeWindow: windowMs must be a number of at least 10, got -100'],
    ['a window of negative length', () => slidingWindow({ calls: 1, windowMs: -1 }), 'slidingWindow: windowMs must be'],
    [
      'a minimum that never is reached',
      () => countWindow({ calls: 5, minimumCalls: 6 }),
      'countWindow: minimumCalls must be at most calls (5), got 6',
    ],
    ['no slots', () => bulkhead({ concurrent: 0 }), 'bulkhead: concurrent must be a whole number of at least 1, got 0'],
    ['a time for a queue that is not there', () => bulkhead({ queueTimeoutMs: 5 }), 'bulkhead: queueTimeoutMs must be given beside queued'],
    [
      'a range upside down',
      () => adaptiveBulkhead({ concurrentMin: 9, concurrentMax: 8 }),
      'concurrentMin must be at most concurrentMax (8), got 9',
    ],
    [
      'a beginning out of range',
      () => adaptiveBulkhead({ concurrentMax: 8, concurrentInitial: 9 }),
      'concurrentInitial must be from concurrentMin (1)',
    ],
    ['no attempt', () => retry({ attempts: 0 }), 'retry: attempts must be a whole number of at least 1, got 0'],
    ['delays upside down', () => retry({ delayMs: 10, delayMaxMs: 9 }), 'retry: delayMaxMs must be at least delayMs (10), got 9'],
    ['no budget', () => retryBudget({ ratio: 1.2 } as never), 'retryBudget: '],
    ['no time', () => timeout({ timeoutMs: 0 }), 'timeout: timeoutMs must be a number of at least 1, got 0'],
    ['a hedge without a second attempt', () => hedge({ attempts: 1 }), 'hedge: attempts must be a whole number from 2 to 10, got 1'],
    ['a quantile of all', () => hedge({ quantile: 1 }), 'hedge: quantile must be'],
    ['no rate', () => tokenBucket({ ratePerSecond: 0 }), 'tokenBucket: ratePerSecond must be'],
    ['a queue of negative length', () => rateLimit({ limit, queued: -1 }), 'rateLimit: queued must be'],
    ['answers that are never fresh', () => cache({ by: 'sku', ttlMs: 0 }), 'cache: ttlMs must be'],
    ['no key', () => coalesce({ by: '' }), 'coalesce: by must be'],
    ['a share above 1', () => keyed(never, { by: 'tenant', ejectedMaxShare: 1.2 }), 'keyed: ejectedMaxShare must be'],
    ['a rate above 1', () => chaos({ rate: 1.2 }), 'chaos: rate must be'],
    ['a fault and an outcome', () => chaos({ fault: () => 1, outcome: () => 2 }), 'chaos: '],
    ['a range upside down', () => chaos({ latencyMs: { min: 5, max: 1 } }), 'chaos: latencyMs must be'],
  ])('%s: %s', (_, make, message) => {
    const error = thrownBy(make)
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', retry: 'never' })
    expect(error.message).toContain(message)
  })
})

const boom = (): never => {
  throw new Error('the function is broken')
}
/** A policy with a function of the user's that throws, and what comes of a call whose task answers `'ok'`, and of one that throws `'sorry'`. */
const broken: Record<string, [policy: () => Policy, onResult: string, onError: string]> = {
  'circuitBreaker, classify': [() => circuitBreaker({ classify: boom }), 'ok', 'sorry'],
  'adaptiveBulkhead, classify': [() => adaptiveBulkhead({ classify: boom }), 'ok', 'sorry'],
  'adaptiveBulkhead, priority': [() => adaptiveBulkhead({ concurrentMax: 1, queued: 9, order: { priority: boom } }), 'ok', 'sorry'],
  'bulkhead, priority': [() => bulkhead({ concurrent: 1, queued: 9, order: { priority: boom } }), 'ok', 'sorry'],
  'bulkhead, fairBy': [() => bulkhead({ concurrent: 1, queued: 9, order: { fairBy: boom } }), 'ok', 'sorry'],
  'bulkhead, weight': [() => bulkhead({ concurrent: 1, queued: 9, order: { fairBy: () => 'k', weight: boom } }), 'ok', 'sorry'],
  'retry, classify': [() => retry({ classify: boom, attempts: 1 }), 'ok', 'sorry'],
  'retry, retryIf': [() => retry({ retryIf: boom }), 'ok', 'sorry'],
  'retry, backoff': [() => retry({ backoff: boom, delayMs: 0, delayMaxMs: 1, attempts: 2 }), 'ok', 'sorry'],
  'cache, by': [() => cache({ by: boom, ttlMs: 10 }), 'the function is broken', 'the function is broken'],
  'coalesce, by': [() => coalesce({ by: boom }), 'the function is broken', 'the function is broken'],
  'keyed, by': [() => keyed(() => bulkhead(), { by: boom }), 'the function is broken', 'the function is broken'],
  'keyed, create': [() => keyed(boom, { by: () => 'k' }), 'the function is broken', 'the function is broken'],
  'chaos, fault': [() => chaos({ rate: 1, fault: boom }), 'the function is broken', 'the function is broken'],
  'chaos, outcome': [() => chaos({ rate: 1, outcome: boom }), 'the function is broken', 'the function is broken'],
}

describe('a function of the user that throws costs nobody an answer, nor a permit', () => {
  test.each(Object.entries(broken))('%s', async (_, [make, onResult, onError]) => {
    const policy = make()
    const told = async (task: () => unknown): Promise<unknown> => {
      const outcome = await policy.tryRun(task)
      return outcome.ok ? outcome.value : outcome.error instanceof Error ? outcome.error.message : outcome.error
    }
    const sorry = (): never => {
      throw new Error('sorry')
    }
    // The second and third of them wait, where there is only one slot.
    const work = deferred()
    const answers = [told(() => work.promise), told(() => 'ok'), told(sorry)]
    work.resolve('ok')
    expect(await Promise.all(answers)).toEqual([onResult, onResult, onError])
    const stats = (policy as unknown as { stats(): object }).stats() as Record<string, unknown>
    expect([stats.running ?? 0, stats.waiting ?? 0, stats.abandoned ?? 0]).toEqual([0, 0, 0])
    expect(await told(() => 'ok')).toBe(onResult)
  })
})

describe.each(NAMES)('%s', (name) => {
  const instead = (otherwise: unknown): unknown => (name === 'fallback' ? 'instead' : otherwise)

  test('hands on what a task throws at once, and what is no error', async () => {
    for (const thrown of [new Error('at once'), undefined, null, 'text', { status: 503 }]) {
      const { policy, ended } = one(name)
      const outcome = await ended(
        policy.tryRun(() => {
          throw thrown
        }),
      )
      expect(outcome.ok ? outcome.value : outcome.error).toBe(instead(thrown))
    }
  })

  test('answers with what is no promise, and with a thenable', async () => {
    for (const value of [undefined, null, 5, 'x', false, Object.create(null)]) {
      const { policy, ended } = one(name)
      expect(await ended(policy.run(() => value))).toBe(value)
    }
    const { policy, ended } = one(name)
    const thenable = Object.fromEntries([['then', (resolve: (value: string) => void) => resolve('thenable')]])
    expect(await ended(policy.run(() => thenable as unknown as PromiseLike<string>))).toBe('thenable')
  })

  test('survives a thenable that throws', async () => {
    const { policy, ended } = one(name)
    const thenable = Object.fromEntries([['then', boom]])
    const outcome = await ended(policy.tryRun(() => thenable as unknown as PromiseLike<string>))
    expect(outcome.ok ? outcome.value : (outcome.error as Error).message).toBe(instead('the function is broken'))
  })

  test('refuses a task that is no function', async () => {
    for (const task of [undefined, null, 5, {}, Promise.resolve(1)]) {
      const { policy, ended } = one(name)
      expect(codeOf(await ended(policy.tryRun(task as never)))).toBe('INVALID_INPUT')
      const run = policy.run(task as never).catch((error: Error) => error.message)
      expect(await ended(run)).toContain('run: the task must be a function')
    }
  })

  test('refuses options of a call that cannot be', async () => {
    for (const options of [{ timeoutMs: -1 }, { timeoutMs: 'x' }, { signal: 5 }, { context: {} }, { unknown: 1 }, 5, null]) {
      const { policy, ended } = one(name)
      let ran = false
      const outcome = await ended(
        policy.tryRun(() => {
          ran = true
        }, options as never),
      )
      expect([codeOf(outcome), ran]).toEqual(['INVALID_OPTIONS', false])
    }
  })

  test('runs nothing for a signal that is aborted, or a deadline in the past', async () => {
    const { clock, policy, ended } = one(name)
    const aborted = AbortSignal.abort('gone')
    const keys = { key: 'k' }
    const late = createContext({ timeoutMs: 5, clock, keys })
    await clock.advance(5)
    let ran = 0
    for (const [options, code] of [
      [{ signal: aborted, keys }, 'ABORTED'],
      [{ context: createContext({ signal: aborted, keys }) }, 'ABORTED'],
      [{ context: createContext({ timeoutMs: 0, clock, keys }) }, 'DEADLINE'],
      [{ context: late }, 'DEADLINE'],
      [{ timeoutMs: 0, keys }, 'DEADLINE'],
    ] as const)
      expect(errorOf(await ended(policy.tryRun(() => ran++, options)))).toMatchObject({ code, effect: 'none' })
    expect(ran).toBe(0)
  })

  test('as a handler, turns such a call away or hands it on, and holds nothing either way', async () => {
    // Whoever may have to wait in the handler's place asks first; the others leave it to the handler, whose context says so.
    const turnsAway = ['timeout', 'hedge', 'cache', 'coalesce'].includes(name)
    for (const [how, code] of [
      ['aborted', 'ABORTED'],
      ['late', 'DEADLINE'],
    ] as const) {
      const { clock, policy, ended } = one(name)
      const keys = { key: 'k' }
      const init = how === 'aborted' ? { signal: AbortSignal.abort('gone') } : { timeoutMs: 0, clock }
      let heard: boolean | undefined
      const handler = policy(async (_input: number, ctx) => {
        heard = ctx.signal.aborted
        return 'handled'
      })
      const answer = await ended(handler(1, createContext({ ...init, keys })).catch((error: HoldfastError) => error.code))
      expect([answer, heard]).toEqual(turnsAway ? [code, undefined] : ['handled', true])
    }
  })

  test('refuses changes that cannot be, and then nothing has changed', () => {
    const { policy } = one(name)
    if (name === 'fallback') return
    const managed = policy as unknown as { reconfigure(changes: unknown): void; stats(): object }
    const before = managed.stats()
    for (const changes of [{ unknown: 1 }, 5, null, []]) expect(thrownBy(() => managed.reconfigure(changes)).code).toBe('INVALID_OPTIONS')
    expect(managed.stats()).toEqual(before)
  })
})
