import { checkOptions, invalidOption, type Read } from '../core/options.ts'
import { finite, ratio, whole } from '../core/rules.ts'
import type { LimitAlgorithm, Seeker, Seen } from './adaptive-algorithm.ts'

export interface Gradient2Options {
  /** How many times the normal latency still counts as normal; 1 to 10, default 1.5. Below it the limit grows. */
  readonly tolerance?: number
  /** How many calls may queue inside what is called, so that it is never idle; at least 1, default 4, and never more than half the root of the limit. */
  readonly headroom?: number
  /** How much of the way to a new limit is gone per window; above 0, at most 1, default 0.2. */
  readonly smoothing?: number
  /** Over how many windows the normal latency is averaged; at least 10, default 600: ten minutes of windows of a second. */
  readonly longWindows?: number
  /** After how many busy windows the normal latency is looked for with half the calls, for one window; from 10 to `longWindows`, default 60. */
  readonly probeWindows?: number
  /** What a window with drops leaves of the limit; 0.1 to 0.99, default 0.9. */
  readonly decrease?: number
}

const rules = {
  tolerance: finite({ min: 1, max: 10, default: 1.5 }),
  headroom: finite({ min: 1, default: 4 }),
  smoothing: ratio({ min: Number.MIN_VALUE, default: 0.2 }),
  longWindows: whole({ min: 10, default: 600 }),
  probeWindows: whole({ min: 10, default: 60 }),
  decrease: finite({ min: 0.1, max: 0.99, default: 0.9 }),
}

/** No window more than halves what it aims at, however slow it was. */
const GRADIENT_MIN = 0.5
/** Below it a latency measures this process, not what it calls. */
const LATENCY_MIN_MS = 0.1
/** Windows whose plain mean begins the long average. */
const FIRST_WINDOWS = 10
/** Busy windows before the first probe, and between probes while each still finds a lower latency. */
const SOON_WINDOWS = 3
/** From here on a rate is the same as another. */
const SAME_RATE = 0.95

/**
 * Finds a limit by the gradient between the normal latency (a long moving average) and that of the latest window: while calls are as fast
 * as normal the limit grows by `headroom`, and where they queue it shrinks in proportion. Under a load without end it settles at about
 * `tolerance` times the number of calls that what is called can work on at once, and calls then take about that many times as long.
 *
 * An average alone would in time take for normal what it causes itself: after a quarter of an hour of overload it has seen nothing else.
 * So after `probeWindows` busy windows one window admits half the calls. Where those are faster, theirs is the normal latency; where as many
 * end per second, the limit stays at that half, since the other half only queued.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 * Source: Netflix concurrency-limits, Gradient2Limit (2018), after TCP Vegas (L. Brakmo, S. O'Malley, L. Peterson, 1994); the probe after
 * BBR (N. Cardwell et al., 2016) and J. Little, "A Proof for the Queuing Formula L = λW" (1961).
 */
export function gradient2(options?: Gradient2Options): LimitAlgorithm {
  const checked = checkOptions('gradient2', options, rules)
  const { probeWindows, longWindows } = checked
  if (probeWindows > longWindows) throw invalidOption('gradient2', 'probeWindows', `at most longWindows (${longWindows})`, probeWindows)
  return { kind: 'gradient2', seeker: () => new Gradient(checked) }
}

class Gradient implements Seeker {
  readonly #options: Read<typeof rules>
  #windows = 0
  #untilProbe = SOON_WINDOWS
  /** What the window before the probe has shown. */
  #before = { running: 0, latencyMs: 0 }
  baselineMs = 0

  constructor(options: Read<typeof rules>) {
    this.#options = options
  }

  next(limit: number, { latencyMs, busy, dropped }: Seen): number {
    const { tolerance, headroom, smoothing, decrease } = this.#options
    if (dropped) return limit * decrease
    const shortMs = Math.max(latencyMs, LATENCY_MIN_MS)
    this.#learn(shortMs)
    if (!busy) return limit
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, (tolerance * this.baselineMs) / shortMs))
    const aim = limit * gradient + Math.min(headroom, Math.sqrt(limit) / 2)
    return limit + smoothing * (aim - limit)
  }

  #learn(shortMs: number): void {
    this.#windows += 1
    const share = this.#windows <= FIRST_WINDOWS ? 1 / this.#windows : 2 / (this.#options.longWindows + 1)
    this.baselineMs += (shortMs - this.baselineMs) * share
    // What was learned in worse times is unlearned faster than an average would.
    if (this.baselineMs > 2 * shortMs) this.baselineMs *= 0.95
  }

  probe({ busy, dropped, running, latencyMs }: Seen): number | undefined {
    if (!busy || dropped || --this.#untilProbe > 0 || running < 2) return undefined
    this.#untilProbe = this.#options.probeWindows
    this.#before = { running, latencyMs }
    return Math.floor(running / 2)
  }

  probed(limit: number, calls: number, latencyMs: number): number {
    const shortMs = Math.max(latencyMs, LATENCY_MIN_MS)
    const { running, latencyMs: fullMs } = this.#before
    // So much faster with fewer calls: these queue as well, perhaps.
    if (shortMs < 0.9 * this.baselineMs) this.#untilProbe = Math.min(SOON_WINDOWS, this.#untilProbe)
    this.baselineMs = Math.min(this.baselineMs, shortMs)
    // By Little's law, calls in flight over their latency is how many end per second: where that is as many, the others only queued.
    const onlyQueued = calls / shortMs >= SAME_RATE * (running / fullMs) && fullMs > this.#options.tolerance * shortMs
    return onlyQueued ? Math.min(limit, calls) : limit
  }
}
