import { abortedError } from '../core/abort-errors.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { Ctx } from '../core/ctx.ts'
import { refusal } from '../core/errors.ts'
import type { Next } from '../core/frame/types.ts'
import { Waiting } from '../core/waiting.ts'

/** What a call needs of the policy it belongs to. */
export interface Hedging {
  readonly clock: Clock
  readonly attempts: number
  readonly delayMs: number
  mayHedge(attempt: number, delayMs: number): boolean
  answered(attempt: number, tookMs: number): void
}

/** One call and its attempts. */
export class HedgedCall extends Waiting {
  readonly promise: Promise<unknown>
  readonly #hedging: Hedging
  readonly #next: Next
  readonly #input: unknown
  readonly #ctx: Ctx
  readonly #running = new Set<Ctx>()
  #started = 0
  #answered = false
  #timer: Timer | null = null
  #resolve: (value: unknown) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(hedging: Hedging, next: Next, input: unknown, ctx: Ctx) {
    super()
    this.#hedging = hedging
    this.#next = next
    this.#input = input
    this.#ctx = ctx
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (ctx.aborted) {
      this.#answer(() => this.#reject(abortedError(ctx, false)))
      return
    }
    ctx.listen(this)
    this.#attempt()
    this.#arm()
  }

  /** The caller gave up: it is answered at once, the attempts hear it through their contexts. */
  abortedBy(): void {
    this.#answer(() => this.#reject(abortedError(this.#ctx, true)))
  }

  #arm(): void {
    if (this.#answered || this.#started >= this.#hedging.attempts) return
    const { delayMs } = this.#hedging
    this.#timer = this.#hedging.clock.setTimer(() => {
      if (!this.#hedging.mayHedge(this.#started + 1, delayMs)) return
      this.#attempt()
      this.#arm()
    }, delayMs)
  }

  #attempt(): void {
    const { clock } = this.#hedging
    const number = ++this.#started
    const startedMs = clock.nowMs()
    // Live whatever the caller's context is: it is aborted when another attempt answers.
    const own = new Ctx(this.#ctx, this.#ctx.limitMs, this.#ctx.attempt, this.#ctx.meta, true)
    this.#running.add(own)
    let answer: Promise<unknown>
    try {
      answer = Promise.resolve(this.#next(this.#input, own))
    } catch (error) {
      answer = Promise.reject(error)
    }
    answer.then(
      (value) => {
        this.#settled(own)
        this.#answer(() => {
          this.#hedging.answered(number, clock.nowMs() - startedMs)
          this.#resolve(value)
        })
      },
      (error) => {
        this.#settled(own)
        if (this.#running.size === 0) this.#answer(() => this.#reject(error))
      },
    )
  }

  #settled(own: Ctx): void {
    this.#running.delete(own)
    own.whenIdle(() => own.end())
    // From the answer on, every attempt still running keeps the permits around us taken.
    if (this.#answered) this.#ctx.held(-1)
  }

  #answer(tell: () => void): void {
    if (this.#answered) return
    this.#answered = true
    this.#timer?.clear()
    this.#ctx.unlisten(this)
    tell()
    for (const own of this.#running) {
      this.#ctx.held(1)
      own.abort(refusal('ABORTED', 'another attempt answered first', { effect: 'unknown', retry: 'never' }))
    }
  }
}
