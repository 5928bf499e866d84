import { Waiting } from '../../core/waiting.ts'

/** Calls once the signal that it has joined aborts. */
export class OnAbort extends Waiting {
  readonly #heard: () => void

  constructor(heard: () => void) {
    super()
    this.#heard = heard
  }

  abortedBy(): void {
    this.#heard()
  }
}
