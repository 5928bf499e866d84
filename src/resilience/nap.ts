import type { Clock } from '../core/clock.ts'
import type { Ctx } from '../core/ctx.ts'
import { Waiting } from '../core/waiting.ts'

/** Resolves after `delayMs`, or as soon as the context is aborted. */
export function nap(delayMs: number, ctx: Ctx, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => {
      ctx.unlisten(sleeper)
      resolve()
    }, delayMs)
    const sleeper = new Sleeper(() => {
      timer.clear()
      resolve()
    })
    ctx.listen(sleeper)
  })
}

class Sleeper extends Waiting {
  readonly #wake: () => void
  constructor(wake: () => void) {
    super()
    this.#wake = wake
  }
  abortedBy(): void {
    this.#wake()
  }
}
