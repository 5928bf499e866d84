import type { Clock } from '../core/clock.ts'
import type { Context } from '../core/context.ts'
import { createContext } from '../core/create-context.ts'
import type { SagaFence } from '../ports/saga-journal.ts'

/** The time in which this process owns a shard under one epoch. */
export class Tenure {
  readonly fence: SagaFence
  /** Every step of the shard's sagas runs below it: it is aborted when the lease is lost, or the engine stops waiting. */
  readonly context: Context
  readonly #controller = new AbortController()
  readonly #clock: Clock
  #untilMs: number

  constructor(fence: SagaFence, untilMs: number, clock: Clock) {
    this.fence = fence
    this.#untilMs = untilMs
    this.#clock = clock
    this.context = createContext({ signal: this.#controller.signal, clock })
  }

  get untilMs(): number {
    return this.#untilMs
  }

  /** By the monotonic clock: read before every effect, because a process that was paused does not know it. */
  get isValid(): boolean {
    return !this.#controller.signal.aborted && this.#clock.nowMs() < this.#untilMs
  }

  renew(untilMs: number): void {
    this.#untilMs = untilMs
  }

  end(reason: unknown): void {
    this.#controller.abort(reason)
  }
}
