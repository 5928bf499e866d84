import { notCommitted } from '../errors.ts'
import type { Unsafe } from './postgres-js-raw.ts'

/** The driver's own end of a connection: `reserved` is null once it was closed, and another for each transaction that has it. */
interface Wire {
  readonly reserved: unknown
  terminate?(): void
  /** What every statement on it goes through. */
  execute?: ((query: WireQuery) => unknown) | undefined
}

interface WireQuery extends PromiseLike<unknown> {
  readonly strings?: unknown
  options?: object
}

/** How the driver ends a transaction; `rollback to` ends none. */
const ENDS = /^(commit|rollback)$|^prepare transaction /

/** What became of the driver's COMMIT. */
export interface CommitWatch {
  /** To be called when the driver says that it has committed. Throws where it has not. */
  check(): void
  /** To be called in the end, also where no COMMIT was sent. */
  stop(): void
}

/**
 * The connection under an `sql` inside a transaction. The driver does not notice that a connection was closed between two statements: the next
 * one, a COMMIT too, is written to a socket that is null, which ends the process. And an `sql` whose transaction is over still sends, into
 * whatever is open on its connection. So both are looked at before each statement.
 */
export class Watched {
  /** Resolves when the connection is known. */
  readonly known: Promise<void>
  #wire: Wire | undefined
  #reserved: unknown
  #failed = false
  #commit: Promise<CommitWatch> | undefined

  constructor(unsafe: Unsafe) {
    // An empty statement, sent along with the first one: whoever executes it is told its connection.
    const onexecute = (wire: Wire): boolean => {
      this.#wire = wire
      this.#reserved = wire.reserved
      return true
    }
    this.known = Promise.resolve(unsafe('', [], { onexecute, simple: true }).execute()).then(
      () => {},
      () => {
        this.#failed = true
      },
    )
  }

  /** Closed, or used by somebody else by now. */
  get isOver(): boolean {
    if (this.#failed) return true
    return this.#wire !== undefined && (this.#wire.reserved === null || this.#wire.reserved !== this.#reserved)
  }

  /**
   * Sees to the COMMIT that the driver sends next. It would be a prepared statement; where the server's connection does not know that (a pooler
   * has handed out another one, or somebody has discarded all), its failure aborts the transaction, and the driver sends another, is answered
   * ROLLBACK, and calls that committed. So it is sent unprepared, and its answer is looked at.
   */
  watchCommit(): Promise<CommitWatch> {
    this.#commit ??= this.#watchCommit()
    return this.#commit
  }

  async #watchCommit(): Promise<CommitWatch> {
    await this.known
    const wire = this.#wire
    const execute = wire?.execute
    let answer: unknown
    const watching = (query: WireQuery): unknown => {
      const text = Array.isArray(query.strings) ? String(query.strings[0]) : ''
      if (!ENDS.test(text)) return execute?.(query)
      stop()
      if (text === 'rollback') return execute?.(query)
      query.options = { ...query.options, prepare: false }
      const sent = execute?.(query)
      query.then(
        (result) => {
          answer = (result as { readonly command?: unknown }).command
        },
        () => {},
      )
      return sent
    }
    const stop = (): void => {
      if (wire !== undefined && wire.execute === watching) wire.execute = execute
    }
    if (wire !== undefined && execute !== undefined) wire.execute = watching
    return {
      check: () => {
        if (answer === undefined || answer === 'ROLLBACK') throw notCommitted(answer)
      },
      stop,
    }
  }

  /** Closes the connection. */
  terminate(): void {
    if (!this.isOver) this.#wire?.terminate?.()
  }
}

const known = new WeakMap<object, Watched>()

/** One for each `sql`, from when it was first seen. */
export function watched(inner: { readonly unsafe: Unsafe }): Watched {
  const before = known.get(inner)
  if (before !== undefined) return before
  const now = new Watched(inner.unsafe)
  known.set(inner, now)
  return now
}
