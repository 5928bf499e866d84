// What the guides take for granted: the reader's own clients, functions and logger.
interface Row {
  readonly id: string
  readonly name: string
}

type EventStore = import('holdfast/cqrs').EventStore
type KeyValue = Parameters<typeof import('holdfast/cqrs').keyValueKeys>[0]

export {}

declare global {
  const log: { info(fields: object, text: string): void; warn(fields: object, text: string): void }
  const pool: {
    query(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>
    end(): Promise<void>
    readonly totalCount: number
  }
  const pgPool: {
    query(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>
    connect(): Promise<{
      query(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>
      on(event: 'error', listener: (error: Error) => void): unknown
      release(error?: Error | boolean): void
    }>
  }
  function fetchRate(currency: string, signal?: AbortSignal): Promise<number>
  function fetchPrice(sku: string, signal?: AbortSignal): Promise<number>
  const eventStore: EventStore
  /** As `prisma generate` makes it. */
  interface OrderTx {
    readonly order: { create(what: { data: { id: string } }): Promise<unknown> }
  }
  const prisma: OrderTx & { $transaction<T>(fn: (tx: OrderTx) => Promise<T>, options?: { isolationLevel?: 'ReadCommitted' }): Promise<T> }
  const vault: { readonly keyValue: KeyValue; readonly masterKey: Uint8Array }
  const settings: { onChange(listener: (changed: { timeoutMs: number; ratePerSecond: number }) => void): void }
}
