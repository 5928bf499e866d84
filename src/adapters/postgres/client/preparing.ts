import { stateOf } from '../errors.ts'

/** So often in the life of a pool somebody may throw away what was prepared; then it is a pooler, or a habit. */
const SURPRISES_MAX = 3

/** A statement that its connection does not know, or knows already: connections of the server are handed from client to client. */
const SURPRISING = new Set(['26000', '42P05'])

/** Whether an error of ours is what such a connection answers: unprepared the statement will do. */
export const isSurprising = (error: unknown): boolean => SURPRISING.has(stateOf(error) ?? '')

/**
 * Whether statements are prepared. Behind a pooler that hands each transaction another connection they are as good as never there when they are
 * needed; what then fails is rolled back and sent again unprepared. Where that goes on nothing is prepared any more, so that neither round trips
 * are wasted nor the server's connections filled with statements.
 */
export class Preparing {
  #surprises = 0
  readonly #allowed: boolean

  constructor(allowed: boolean) {
    this.#allowed = allowed
  }

  get isOn(): boolean {
    return this.#allowed && this.#surprises < SURPRISES_MAX
  }

  /** Counts what the server answered. */
  heed(sqlstate: unknown): void {
    if (typeof sqlstate === 'string' && SURPRISING.has(sqlstate)) this.#surprises += 1
  }
}
