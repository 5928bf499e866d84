import type { Unsafe } from './postgres-js-raw.ts'

/** The driver's own end of a connection: `reserved` is null once it was closed, and another for each transaction that has it. */
interface Wire {
  readonly reserved: unknown
  terminate?(): void
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
