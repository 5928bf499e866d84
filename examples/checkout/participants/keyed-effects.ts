import type { Action, Ledger } from './ledger.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Ways to misbehave on purpose, for `--break`: they show that the proofs can fail. */
export interface Misbehaviour {
  readonly ignoresKeys?: boolean
  readonly forgetsUndo?: boolean
  readonly ignoresTombstones?: boolean
  readonly forgetsEffect?: boolean
}

export interface Effect {
  readonly action: Action
  readonly order: string
  readonly key: string
  readonly amount: number
}

interface Done {
  readonly answer: Answer
  readonly revert: () => void
}

/** What a participant of a saga owes it: one effect per key, the same answer each time, and no effect after its undo. */
export class KeyedEffects {
  readonly #ledger: Pick<Ledger, 'write'>
  readonly #misbehaves: Misbehaviour
  readonly #done = new Map<string, Done>()
  readonly #undone = new Set<string>()

  constructor(ledger: Pick<Ledger, 'write'>, misbehaves: Misbehaviour = {}) {
    this.#ledger = ledger
    this.#misbehaves = misbehaves
  }

  /** Calls `run` once per key. `run` answers with what was done and how to take it back, or with the reason why not. */
  perform(effect: Effect, run: () => { readonly body: unknown; readonly revert: () => void } | { readonly declined: string }): Answer {
    if (this.#undone.has(effect.key)) {
      this.#ledger.write({ event: 'refused', ...effect })
      return { status: 410, body: { reason: 'it was undone before it came' } }
    }
    const known = this.#done.get(effect.key)
    if (known !== undefined && !this.#misbehaves.ignoresKeys) {
      this.#ledger.write({ event: 'repeated', ...effect })
      return known.answer
    }
    const result = run()
    if ('declined' in result) {
      this.#ledger.write({ event: 'declined', ...effect, reason: result.declined })
      return this.#remember(effect.key, { status: 409, body: { reason: result.declined } }, () => {})
    }
    if (!this.#misbehaves.forgetsEffect) this.#ledger.write({ event: 'effect', ...effect })
    return this.#remember(effect.key, { status: 201, body: result.body }, result.revert)
  }

  /** Takes back the effect of a key. A key that has not been seen gets a tombstone: its effect, should it still come, is refused. */
  undo(effect: Effect): Answer {
    const nothingToDo: Answer = { status: 200, body: { undone: false } }
    if (this.#undone.has(effect.key)) return nothingToDo
    const known = this.#done.get(effect.key)
    if (known === undefined) {
      this.#ledger.write({ event: 'tombstone', ...effect })
      if (!this.#misbehaves.ignoresTombstones) this.#undone.add(effect.key)
      return nothingToDo
    }
    this.#undone.add(effect.key)
    if (known.answer.status !== 201) return nothingToDo
    if (!this.#misbehaves.forgetsUndo) {
      known.revert()
      this.#ledger.write({ event: 'undo', ...effect })
    }
    return { status: 200, body: { undone: true } }
  }

  #remember(key: string, answer: Answer, revert: () => void): Answer {
    this.#done.set(key, { answer, revert })
    return answer
  }
}
