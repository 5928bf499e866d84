/** What is used of a client of `pg` that was checked out of its pool. */
export interface PgClientSlice {
  release(error?: Error | boolean): void
}

/** What is used of a `Pool` of `pg`; its own type is kept. */
export interface PgPoolSlice {
  connect(...args: never[]): unknown
  query(...args: never[]): unknown
}

export type Callback = (error: unknown, ...answer: unknown[]) => void

/** The same slice as it is called. */
export interface CalledPool {
  connect(): Promise<PgClientSlice>
  query(...args: unknown[]): Promise<unknown>
}
