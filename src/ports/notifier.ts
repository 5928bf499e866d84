/** Hears the hints of one topic from its making on. */
export interface Listener {
  /**
   * Resolves to true at the next hint, at once where one has come since the last wait; to false after `maxMs`. Rejects with `ABORTED` when the
   * signal aborts, and `NOT_STARTED` after `close`.
   */
  wait(maxMs: number, signal?: AbortSignal): Promise<boolean>
  close(): void
}

/**
 * Hints that something may have changed. Promises, each a case of the contract kit but 4 and 6:
 *
 * 1. Whoever listens hears, in time, a `notify` that was called after `listen` had resolved, from whatever process; several may come as one.
 * 2. A hint that comes between two waits is not lost: the next wait resolves at once.
 * 3. It may be lost on the way (a connection that broke), and may come for nothing: every reader also looks by itself now and then. After a
 *    connection was lost and found again every listener is woken once.
 * 4. `notify` resolves when the hint is on its way; it carries no content. Called inside a transaction of the user's it is not.
 * 5. Topics are 1 to 200 characters, any well-formed text. Not open: `NOT_STARTED`. Closing ends every wait with `NOT_STARTED`.
 * 6. Listeners that nobody waits at cost no timer and no query.
 */
export interface Notifier {
  /** Whether hints reach other processes by themselves (`pushed`), or by looking every `pollMs` (`polled`), and why. */
  describe(): { readonly delivery: 'pushed' | 'polled' | 'in-process'; readonly reason: string }
  open(signal?: AbortSignal): Promise<void>
  notify(topic: string): Promise<void>
  listen(topic: string): Promise<Listener>
  close(): Promise<void>
}
