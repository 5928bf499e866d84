import { type Clock, defaultClock } from './clock.ts'
import { REQUIRED, type Rule } from './options.ts'

interface Range {
  readonly min?: number
  readonly max?: number
}

function span(min: number, max: number): string {
  if (min === Number.MIN_VALUE) return `above 0, at most ${max}`
  return max === Number.POSITIVE_INFINITY || max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
}

/** A whole number in a range (default: 0 to 2^53-1). */
export const whole = (range: Range & { readonly default: number }): Rule<number> => number(range, Number.isSafeInteger, 'a whole number')

/** A number in a range; milliseconds, rates, factors. Never NaN or infinite. */
export const finite = (range: Range & { readonly default: number }): Rule<number> => number(range, Number.isFinite, 'a number')

/** A duration in milliseconds: at least 0 unless `min` says more, at most 2^53-1. */
export const durationMs = finite

/** A share from 0 (exclusive where `min` says so) to 1. */
export const ratio = (range: Range & { readonly default: number }): Rule<number> =>
  number({ min: 0, max: 1, ...range }, Number.isFinite, 'a number')

function number(range: Range & { readonly default: number }, is: (n: number) => boolean, kind: string): Rule<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range
  return {
    must: `${kind} ${span(min, max)}`,
    fits: (value) => typeof value === 'number' && is(value) && value >= min && value <= max,
    absent: range.default,
  }
}

export const flag = (absent: boolean): Rule<boolean> => ({ must: 'true or false', fits: (value) => typeof value === 'boolean', absent })

/** A non-empty text of at most `max` characters. */
export const text = (absent: string, max = 200): Rule<string> => ({
  must: `a text of 1 to ${max} characters`,
  fits: (value) => typeof value === 'string' && value.length > 0 && value.length <= max,
  absent,
})

export const oneOf = <const T extends string>(values: readonly T[], absent: NoInfer<T>): Rule<T> => ({
  must: `one of ${values.map((value) => `'${value}'`).join(', ')}`,
  fits: (value) => (values as readonly unknown[]).includes(value),
  absent,
})

export const fn = <F extends (...args: never[]) => unknown>(absent: F): Rule<F> => ({
  must: 'a function',
  fits: (value) => typeof value === 'function',
  absent,
})

/** Anything the predicate accepts; `must` completes "must be …". */
export const any = <T>(must: string, fits: (value: unknown) => boolean, absent: T): Rule<T> => ({ must, fits, absent })

/** The same rule, for an option without which nothing can be made, or that has no default of its own. */
export const required = <T>(rule: Rule<T>): Rule<T> => ({ ...rule, absent: REQUIRED })
export const optional = <T>(rule: Rule<T>): Rule<T | undefined> => ({ ...rule, absent: undefined })

export const clock: Rule<Clock> = {
  must: 'a clock with nowMs, epochMs and setTimer',
  fits: (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['nowMs', 'epochMs', 'setTimer'].every((m) => typeof (value as Record<string, unknown>)[m] === 'function'),
  absent: defaultClock,
}

export const random: Rule<() => number> = fn(() => Math.random())
