/** How a part of a running application is. */
export interface PartHealth {
  readonly status: 'ok' | 'degraded' | 'down'
  /** Why it is not ok. */
  readonly reason?: string
}

/** Something an application starts and stops: the saga engine, the bus. Made synchronously, touching nothing until `start`. */
export interface Part {
  /** Its name in `health().parts`. */
  readonly name: string
  /** Resolves when it works. What fails may be tried again. */
  start(signal?: AbortSignal): Promise<void>
  /** Stops intake, finishes or releases what is in flight within `drainMs`, closes what is its own. Idempotent, never rejects for slow work. */
  stop(options: { readonly drainMs: number }): Promise<void>
  health(): PartHealth
}
