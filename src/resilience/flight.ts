import { abortedError } from '../core/abort-errors.ts'
import { Ctx } from '../core/ctx.ts'
import { refusal } from '../core/errors.ts'
import type { Next } from '../core/frame/types.ts'
import { Waiting } from '../core/waiting.ts'

/** One execution that several callers wait for. */
export class Flight {
  /** Settles as the execution does. */
  readonly landed: Promise<unknown>
  readonly #ctx: Ctx
  #passengers = 0
  #over = false

  constructor(next: Next, input: unknown, first: Ctx) {
    // A root of its own, so that no caller's abort reaches it; live, so that the last one to leave can end it.
    this.#ctx = new Ctx(null, null, first.attempt, first.meta, true)
    this.landed = this.#fly(next, input)
  }

  async #fly(next: Next, input: unknown): Promise<unknown> {
    try {
      return await next(input, this.#ctx)
    } finally {
      this.#over = true
      this.#ctx.whenIdle(() => this.#ctx.end())
    }
  }

  /** Waits for the answer as long as the caller does. `empty` is called when the last passenger has left before it landed. */
  board(ctx: Ctx, empty: () => void): Promise<unknown> {
    this.#passengers += 1
    if (!ctx.live) return this.landed
    return new Promise((resolve, reject) => {
      const passenger = new Passenger(() => {
        reject(abortedError(ctx, true))
        // What it began goes on without it: the permits around this caller stay taken until it ends.
        ctx.hold(this.landed)
        this.#left(empty)
      })
      const off = (): void => ctx.unlisten(passenger)
      this.landed.then(
        (value) => {
          off()
          resolve(value)
        },
        (error) => {
          off()
          reject(error)
        },
      )
      ctx.listen(passenger)
    })
  }

  #left(empty: () => void): void {
    this.#passengers -= 1
    if (this.#over || this.#passengers > 0) return
    empty()
    this.#ctx.abort(refusal('ABORTED', 'every caller gave up', { effect: 'unknown', retry: 'never' }))
  }
}

class Passenger extends Waiting {
  readonly #leave: () => void
  constructor(leave: () => void) {
    super()
    this.#leave = leave
  }
  abortedBy(): void {
    this.#leave()
  }
}
