import { retryOf } from '../core/effect.ts'
import { checkOptions, invalidOption, type Read, type Rules } from '../core/options.ts'
import { any, durationMs, fn, random, whole } from '../core/rules.ts'

/** How to try again: the argument of `retry()` and the `retry` option of a step, a subscription, a projection, a command. */
export interface RetryOptions {
  /** Total attempts, the first one included; a whole number of at least 1, default 3. */
  readonly attempts?: number
  /** Delay before the second attempt, default 100 ms; at least 0. */
  readonly delayMs?: number
  /** No delay that is drawn is longer, default 30,000 ms; what an error's `retryAfterMs` asks for may be, where a deadline bounds it. */
  readonly delayMaxMs?: number
  /**
   * `'exponential'` (default) doubles the delay each time and draws from its upper half, so that callers spread; `'decorrelated'` draws
   * between `delayMs` and three times the delay before; `'constant'` keeps it; a function of the attempts made so far and the last error
   * says how many milliseconds. `delayMaxMs` bounds them all.
   */
  readonly backoff?: 'constant' | 'exponential' | 'decorrelated' | ((attempt: number, error: unknown) => number)
  /** No new attempt starts later than this after the first one began; default none. */
  readonly elapsedMaxMs?: number
  /** Which errors are worth another attempt; default all but those that say `retry: 'never'`. Where it throws, the error is not. */
  readonly retryIf?: (error: unknown) => boolean
  /** Where chance comes from; from 0 (inclusive) to 1 (exclusive), default `Math.random`. */
  readonly random?: () => number
}

/** Checked options with every default filled in. */
export interface RetryPlan extends Required<RetryOptions> {
  /**
   * The delay before attempt number `attempt + 1`, in milliseconds; at least `retryAfterMs` of the error that asked for it. `beforeMs`: the
   * delay before this one, where it is known; only the decorrelated back-off looks at it.
   */
  delayAfterMs(attempt: number, error: unknown, beforeMs?: number): number
}

/**
 * Checks retry options and fills in the defaults; `more` are rules for options that the owner has besides.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when an option is unknown or out of range.
 */
export function retryPlan<R extends Rules = Record<never, never>>(
  owner: string,
  options: RetryOptions | undefined,
  more?: R,
): RetryPlan & Read<R> {
  const checked = checkOptions(owner, options, { ...rules, ...more } as typeof rules & R) as Read<typeof rules> & Read<R>
  if (checked.delayMaxMs < checked.delayMs)
    throw invalidOption(owner, 'delayMaxMs', `at least delayMs (${checked.delayMs})`, checked.delayMaxMs)
  return {
    ...checked,
    retryIf: (error) => holds(checked.retryIf, error),
    delayAfterMs: (attempt, error, beforeMs) => Math.max(retryAfterMs(error), drawMs(checked, attempt, error, beforeMs)),
  }
}

const BACKOFFS: readonly unknown[] = ['constant', 'exponential', 'decorrelated']
const backoff = any<NonNullable<RetryOptions['backoff']>>(
  "'constant', 'exponential', 'decorrelated', or a function of the attempt and the error",
  (value) => typeof value === 'function' || BACKOFFS.includes(value),
  'exponential',
)

const rules = {
  attempts: whole({ min: 1, default: 3 }),
  delayMs: durationMs({ default: 100 }),
  delayMaxMs: durationMs({ default: 30_000 }),
  backoff,
  elapsedMaxMs: { ...durationMs({ default: 0 }), absent: Number.POSITIVE_INFINITY },
  retryIf: fn((error: unknown) => retryOf(error) === 'later'),
  random,
}

/** Refuses changes that are no options, or none of a retry, before they are merged into what there is. */
export function checkRetryChanges(owner: string, changes: object): RetryOptions {
  checkOptions(owner, changes, rules)
  return changes
}

// A predicate that throws must not cost the caller the error that it was asked about.
function holds(retryIf: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return retryIf(error)
  } catch {
    return false
  }
}

type Drawing = Required<Omit<RetryOptions, 'retryIf' | 'elapsedMaxMs'>>

function drawMs(plan: Drawing, attempt: number, error: unknown, beforeMs: number | undefined): number {
  const { backoff, delayMs, delayMaxMs, random } = plan
  const grown = (factor: number): number => delayMs * factor ** Math.min(attempt - 1, 500)
  if (backoff === 'constant') return delayMs
  if (backoff === 'exponential') return Math.min(delayMaxMs, grown(2)) * (0.5 + random() / 2)
  if (backoff === 'decorrelated') return Math.min(delayMaxMs, delayMs + random() * ((beforeMs ?? grown(3) / 3) * 3 - delayMs))
  const own = asked(backoff, attempt, error)
  // What is no delay must not become a hot loop, nor cost the caller its answer.
  return Number.isFinite(own) ? Math.min(delayMaxMs, Math.max(0, own)) : delayMaxMs
}

function asked(backoff: (attempt: number, error: unknown) => number, attempt: number, error: unknown): number {
  try {
    return backoff(attempt, error)
  } catch {
    return Number.NaN
  }
}

function retryAfterMs(error: unknown): number {
  const asked = typeof error === 'object' && error !== null ? (error as { retryAfterMs?: unknown }).retryAfterMs : undefined
  return typeof asked === 'number' && asked > 0 ? asked : 0
}
