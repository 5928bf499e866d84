import type { Settlement, TransportSubscription } from '../ports/transport.ts'

/** Gathers what is settled within one microtask into one batch, and gives the credits back. */
export class Settler {
  readonly #subscription: TransportSubscription
  readonly #failed: (error: unknown, settlements: readonly Settlement[]) => void
  #batch: Settlement[] = []
  #flushing: Promise<void> = Promise.resolve()

  constructor(subscription: TransportSubscription, failed: (error: unknown, settlements: readonly Settlement[]) => void) {
    this.#subscription = subscription
    this.#failed = failed
  }

  push(settlement: Settlement): void {
    if (this.#batch.push(settlement) === 1) this.#flushing = this.#flushing.then(() => this.#flush())
  }

  /** Resolves when everything pushed so far is settled, or has failed to be. */
  flushed(): Promise<void> {
    return this.#flushing
  }

  async #flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    try {
      await this.#subscription.settle(batch)
    } catch (error) {
      // The transport still holds them: they come back, which is what "at least once" allows.
      this.#failed(error, batch)
    }
    this.#subscription.credit(batch.length)
  }
}
