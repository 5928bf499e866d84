import type { GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Isolation } from './breaker-readouts.ts'

/** Answers for an isolated breaker, call by call: that of a fleet, which lets one of many probe. */
export type Gate = (ctx: GuardContext) => Permit | Refusal | Promise<Permit | Refusal>

/** Who has asked for a breaker to let nothing through. */
export class Isolations {
  readonly #gates = new Map<Isolation, Gate | null>()

  get size(): number {
    return this.#gates.size
  }

  /** Null where somebody wants nothing through at all. */
  get gate(): Gate | null {
    for (const gate of this.#gates.values()) if (gate === null) return null
    return [...this.#gates.values()][0] ?? null
  }

  add(isolation: Isolation, gate: Gate | null): void {
    this.#gates.set(isolation, gate)
  }

  delete(isolation: Isolation): boolean {
    return this.#gates.delete(isolation)
  }
}
