import { HoldfastError } from '../core/errors.ts'

/** When it is now by the store's clock: not before `leastMs`, not after `mostMs`. */
export interface Span {
  readonly leastMs: number
  readonly mostMs: number
}

export interface Taking {
  /** How many calls may pass, 0 to as many as were wanted. */
  readonly taken: number
  /** How long until one more could, in milliseconds; 0 where all that were wanted are taken. */
  readonly waitMs: number
  /** What to store; undefined where nothing was taken. */
  readonly state?: SharedState
  /** What is stored says nothing any more after this long. */
  readonly ttlMs: number
}

/** Counts calls for many limiters: what was stored goes in, what is to be stored comes out. */
export interface SharedMeter {
  take(stored: SharedState | undefined, now: Span, wanted: number): Taking
}

/** Times are the store's, in milliseconds since its clock began. */
export type SharedState = BucketState | WindowState

export interface BucketState {
  readonly version: 1
  readonly kind: 'token-bucket'
  readonly tokens: number
  readonly atMs: number
}

export interface WindowState {
  readonly version: 1
  readonly kind: 'sliding-window'
  /** When, and how many. */
  readonly taken: readonly (readonly [number, number])[]
}

const NONE: Taking = { taken: 0, waitMs: 0, ttlMs: 1 }

/** Rounding may leave a whole token a little less than whole. */
const WHOLE = 1e-6
/** A state from so far ahead was written before the store's clock began anew. */
const AHEAD_MS = 60_000
/** Ten years: what fills more slowly is kept for that long. */
const KEPT_MAX_MS = 315_360_000_000

export class SharedBucket implements SharedMeter {
  readonly #perMs: number
  readonly #burst: number

  constructor(perMs: number, burst: number) {
    this.#perMs = perMs
    this.#burst = burst
  }

  take(stored: SharedState | undefined, now: Span, wanted: number): Taking {
    // Always by the least that it can be: what passes between two writes is then counted once, whoever writes, and never more than has passed.
    const nowMs = now.leastMs
    const { tokens: had, atMs } = stored?.kind === 'token-bucket' ? stored : { tokens: this.#burst, atMs: nowMs }
    const tokens = Math.min(this.#burst, had + Math.max(0, nowMs - atMs) * this.#perMs)
    const taken = Math.min(wanted, Math.floor(tokens + WHOLE))
    const left = Math.max(0, tokens - taken)
    const waitMs = taken === wanted ? 0 : Math.max(0, 1 - left) / this.#perMs + Math.max(0, Math.min(AHEAD_MS, atMs - nowMs))
    if (taken === 0) return { ...NONE, waitMs }
    const at = atMs > nowMs + AHEAD_MS ? nowMs : Math.max(atMs, nowMs)
    const ttlMs = Math.min(KEPT_MAX_MS, Math.ceil((this.#burst - left) / this.#perMs + at - nowMs) + 1)
    return { taken, waitMs, ttlMs, state: { version: 1, kind: 'token-bucket', tokens: left, atMs: at } }
  }
}

/** A window is remembered in this many pieces, however many calls it has. */
const PIECES = 100

export class SharedWindow implements SharedMeter {
  readonly #calls: number
  readonly #pieceMs: number
  readonly #keptMs: number

  /** `usedForMs`: how much later than it is taken a call may pass. */
  constructor(calls: number, windowMs: number, usedForMs: number) {
    this.#calls = calls
    this.#pieceMs = windowMs / PIECES
    // Longer than the window by all that a call may be later than what is written of it, so that no window of calls that pass has more.
    this.#keptMs = windowMs + this.#pieceMs + usedForMs
  }

  take(stored: SharedState | undefined, now: Span, wanted: number): Taking {
    const before = stored?.kind === 'sliding-window' ? stored.taken : []
    const counted = before.filter(([atMs]) => atMs + this.#keptMs > now.leastMs && atMs < now.leastMs + AHEAD_MS)
    const room = this.#calls - counted.reduce((sum, [, count]) => sum + count, 0)
    const taken = Math.max(0, Math.min(wanted, room))
    const [oldestMs] = counted[0] ?? [now.leastMs]
    const waitMs = taken === wanted ? 0 : Math.max(1, oldestMs + this.#keptMs - now.leastMs)
    if (taken === 0) return { ...NONE, waitMs }
    const [lastMs, lastCount] = counted.at(-1) ?? [Number.NEGATIVE_INFINITY, 0]
    const joins = now.mostMs - lastMs < this.#pieceMs
    const entries = joins
      ? [...counted.slice(0, -1), [lastMs, lastCount + taken] as const]
      : [...counted, [Math.max(lastMs, now.mostMs), taken] as const]
    const ttlMs = Math.ceil(this.#keptMs + Math.max(0, (entries.at(-1) as readonly [number, number])[0] - now.leastMs)) + 1
    return { taken, waitMs, ttlMs, state: { version: 1, kind: 'sliding-window', taken: entries } }
  }
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** Reads what stands in the store. @throws {HoldfastError} `STORAGE_CORRUPT` (effect none) where it is not a limit's. */
export function readState(key: string, text: string): SharedState {
  let state: Partial<BucketState & { taken: unknown }> | null
  try {
    state = JSON.parse(text) as typeof state
  } catch {
    state = null
  }
  if (state?.version === 1) {
    if (state.kind === 'token-bucket' && isCount(state.tokens) && isCount(state.atMs)) return state as BucketState
    const { taken } = state
    if (Array.isArray(taken) && taken.every((each) => Array.isArray(each) && each.length === 2 && each.every(isCount)))
      return state as unknown as WindowState
  }
  throw new HoldfastError('STORAGE_CORRUPT', `rateLimit: what stands in the store under ${key} is not the state of a limit`, {
    effect: 'none',
    retry: 'never',
  })
}
