import type { Checkpoints } from './checkpoints.ts'
import type { EventStore } from './event-store.ts'
import type { KeyValue } from './key-value.ts'
import type { Lease } from './lease.ts'
import type { Notifier } from './notifier.ts'
import type { PartHealth } from './part.ts'
import type { SagaJournal } from './saga-journal.ts'

/** What every engine's factory returns, whatever ports it carries. Factories are synchronous and touch nothing; `open` does. */
export interface Engine {
  /** `memory`, `sqlite`, … */
  readonly engine: string
  /** Names of the ports it carries. */
  readonly ports: readonly string[]
  /** Opens every port, migrating where the engine may do so by itself. Idempotent; what fails may be tried again. */
  open(signal?: AbortSignal): Promise<void>
  /** Creates or upgrades what the engine needs; a no-op where `open` does it. An engine may resolve with what it did. */
  migrate(): Promise<unknown>
  health(): Promise<PartHealth>
  /** Closes what it opened itself. Idempotent. */
  close(): Promise<void>
}

/** An engine that can keep a whole application. */
export interface Storage extends Engine {
  readonly sagaJournal: SagaJournal
  readonly eventStore: EventStore
  readonly keyValue: KeyValue
  readonly lease: Lease
  readonly notifier: Notifier
  readonly checkpoints: Checkpoints
}
