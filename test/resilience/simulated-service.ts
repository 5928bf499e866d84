import type { Policy } from '../../src/index.ts'
import type { TestClock } from '../../src/testing/test-clock.ts'

/** A service that works on so many calls at once, each for `serviceMs`; the rest queue in it, first in, first out. */
export class SimulatedService {
  readonly #clock: TestClock
  readonly #queue: (() => void)[] = []
  #working = 0
  /** How many calls are in it, working or queued; and the most there ever were. */
  inside = 0
  highest = 0

  constructor(
    clock: TestClock,
    readonly capacity: number,
    public serviceMs: number,
  ) {
    this.#clock = clock
  }

  readonly call = (): Promise<number> => {
    this.inside += 1
    this.highest = Math.max(this.highest, this.inside)
    return new Promise((answer) => {
      const begin = (): void => {
        this.#working += 1
        this.#clock.setTimer(() => {
          this.#working -= 1
          this.inside -= 1
          this.#queue.shift()?.()
          answer(this.#clock.nowMs())
        }, this.serviceMs)
      }
      if (this.#working < this.capacity) begin()
      else this.#queue.push(begin)
    })
  }
}

/** So many clients, each of which calls again as soon as it has its answer, until it is stopped. */
export function clients(count: number, policy: Policy, task: () => Promise<unknown>): { stop(): Promise<void> } {
  let stopped = false
  const loops = Array.from({ length: count }, async () => {
    while (!stopped) await policy.tryRun(task)
  })
  return {
    async stop() {
      stopped = true
      await Promise.all(loops)
    },
  }
}
