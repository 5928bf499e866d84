import { refusal } from '../../core/errors.ts'
import { joinSignal, leaveSignal, Waiting } from '../../core/waiting.ts'
import { aborted } from '../storage-shared/refusals.ts'

/** One at a time, in the order of arrival. */
export class Turns {
  #isTaken = false
  readonly #waiting: Turn[] = []

  /** Resolves when it is the caller's turn, to what ends that. */
  async enter(queued: number, signal: AbortSignal | undefined): Promise<() => void> {
    if (this.#isTaken) await this.#wait(queued, signal)
    this.#isTaken = true
    return () => this.#pass()
  }

  #wait(queued: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= queued) {
      throw refusal('QUEUE_FULL', `run: ${queued} runs (queued) wait for this handle already`, { details: { queued } })
    }
    return new Promise((resolve, reject) => {
      const turn = new Turn(resolve, () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(aborted('run', signal as AbortSignal))
      })
      turn.signal = signal
      if (signal !== undefined) joinSignal(signal, turn)
      this.#waiting.push(turn)
    })
  }

  /** Handed over, not released: nobody can come between. */
  #pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) {
      this.#isTaken = false
      return
    }
    if (next.signal !== undefined) leaveSignal(next.signal, next)
    next.begin()
  }
}

class Turn extends Waiting {
  readonly begin: () => void
  readonly #leave: () => void
  signal: AbortSignal | undefined

  constructor(begin: () => void, leave: () => void) {
    super()
    this.begin = begin
    this.#leave = leave
  }

  abortedBy(): void {
    this.#leave()
  }
}
