/** Times its mean latency that a window lasts at least: what ends sooner has begun under the limit before. */
const LATENCIES = 2
/** The same for a probe: in a shorter one only the fast ones of the calls that began in it would have ended. */
export const PROBE_LATENCIES = 8

/** Gathers what calls show, until it is enough to judge by. */
export class CallWindow {
  #startMs: number
  /** Calls that began before do not count: they say nothing about the limit that they should judge. */
  #sinceMs = Number.NEGATIVE_INFINITY
  #sumMs = 0
  #samples = 0
  #drops = 0
  /** The most calls that ran at once. */
  running = 0
  probes = false

  constructor(nowMs: number) {
    this.#startMs = nowMs
  }

  get latencyMs(): number {
    return this.#samples === 0 ? 0 : this.#sumMs / this.#samples
  }

  sample(enteredMs: number, nowMs: number, running: number): void {
    if (running > this.running) this.running = running
    if (enteredMs < this.#sinceMs) return
    // A clock that steps back measures nothing.
    this.#sumMs += Math.max(0, nowMs - enteredMs)
    this.#samples += 1
  }

  drop(enteredMs: number, running: number): void {
    if (running > this.running) this.running = running
    if (enteredMs >= this.#sinceMs) this.#drops += 1
  }

  over(nowMs: number, windowMs: number, callsMin: number): boolean {
    // From here on it counts by a clock that has stepped back.
    if (nowMs < this.#startMs) {
      this.#startMs = nowMs
      this.#sinceMs = Math.min(this.#sinceMs, nowMs)
    }
    if (this.#samples + this.#drops < callsMin) return false
    return nowMs - this.#startMs >= Math.max(windowMs, (this.probes ? PROBE_LATENCIES : LATENCIES) * this.latencyMs)
  }

  dropped(maxShare: number): boolean {
    return this.#drops > maxShare * (this.#samples + this.#drops)
  }

  /** Begins anew; `afresh`: with calls that begin from now on. */
  restart(nowMs: number, afresh: boolean, probes = false): void {
    this.#startMs = nowMs
    if (afresh) this.#sinceMs = nowMs
    this.#sumMs = 0
    this.#samples = 0
    this.#drops = 0
    this.running = 0
    this.probes = probes
  }
}
