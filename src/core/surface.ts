/** Lets a bug in a user's code that was called on the way surface as an uncaught exception of its own: it changes nothing here, nor vanishes. */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
