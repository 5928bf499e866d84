/** What is used of a client of `pg` that tells notices. */
export interface Noticing {
  on(event: 'notice', listener: (notice: unknown) => void): unknown
  removeListener(event: 'notice', listener: (notice: unknown) => void): unknown
}

/**
 * Whether a COMMIT did not wait for its synchronous standby, because somebody cancelled the wait (`pg_cancel_backend`): the server calls that
 * success, and says the rest in a warning. By the name of the server's routine, since the words may be in any language.
 */
export class StandbyWait {
  readonly #client: Noticing
  #wasCancelled = false
  readonly #noticed = (notice: unknown): void => {
    if ((notice as { readonly routine?: unknown } | undefined)?.routine === 'SyncRepWaitForLSN') this.#wasCancelled = true
  }

  constructor(client: Noticing) {
    this.#client = client
    client.on('notice', this.#noticed)
  }

  /** Whether it was since this was asked before. */
  takeCancelled(): boolean {
    const was = this.#wasCancelled
    this.#wasCancelled = false
    return was
  }

  stop(): void {
    this.#client.removeListener('notice', this.#noticed)
  }
}
