/** Sub-buckets per power of two: a quantile is at most 1/8 too high. */
const STEPS = 8
/** Up to 2^23 ms, over two hours. */
const POWERS = 24
/** After so many values all counts are halved, so that the estimate follows what happens now. */
const HALVED_EVERY = 1_024
/** The estimate is taken anew after so many values. */
const TAKEN_EVERY = 32

/**
 * A running estimate of one quantile of latencies: a log-linear histogram of fixed size, O(1) per value, that forgets the past by halving.
 *
 * Source: the bucket layout of HdrHistogram (G. Tene).
 */
export class LatencyQuantile {
  readonly #quantile: number
  readonly #counts = new Uint32Array(STEPS * POWERS)
  #total = 0
  #untilHalved = HALVED_EVERY
  #untilTaken = 1
  #takenMs = 0

  constructor(quantile: number) {
    this.#quantile = quantile
  }

  /** How many values the estimate rests on; halves with them. */
  get known(): number {
    return this.#total
  }

  /** The upper edge of the bucket in which the quantile lies; 0 while nothing is known. */
  get estimateMs(): number {
    return this.#takenMs
  }

  record(latencyMs: number): void {
    this.#counts[bucketOf(latencyMs)] = (this.#counts[bucketOf(latencyMs)] as number) + 1
    this.#total += 1
    if (--this.#untilHalved === 0) this.#halve()
    if (--this.#untilTaken === 0) this.#take()
  }

  #halve(): void {
    this.#untilHalved = HALVED_EVERY
    this.#total = 0
    for (let i = 0; i < this.#counts.length; i++) {
      this.#counts[i] = (this.#counts[i] as number) >> 1
      this.#total += this.#counts[i] as number
    }
  }

  #take(): void {
    this.#untilTaken = Math.min(TAKEN_EVERY, Math.max(1, this.#total))
    let left = this.#total * this.#quantile
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i] as number
      if (left > 0) continue
      this.#takenMs = upperEdgeMs(i)
      return
    }
  }
}

// Bucket i of power p covers [2^p·(1 + i/STEPS), 2^p·(1 + (i+1)/STEPS)) milliseconds, less one: below 1 ms everything is in the first row.
function bucketOf(latencyMs: number): number {
  const value = Math.max(0, latencyMs) + 1
  const power = Math.min(POWERS - 1, Math.floor(Math.log2(value)))
  const step = Math.min(STEPS - 1, Math.floor((value / 2 ** power - 1) * STEPS))
  return power * STEPS + step
}

const upperEdgeMs = (bucket: number): number => 2 ** Math.floor(bucket / STEPS) * (1 + ((bucket % STEPS) + 1) / STEPS) - 1
