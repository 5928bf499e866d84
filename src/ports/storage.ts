import type { PartHealth } from './part.ts'
import type { SagaJournal } from './saga-journal.ts'

/**
 * What an engine's factory returns: the ports that it can carry. Factories are synchronous and touch nothing; `open` does.
 */
export interface Storage {
  /** `memory`, `sqlite`, … */
  readonly engine: string
  /** Names of the ports it carries. */
  readonly ports: readonly string[]
  readonly sagaJournal: SagaJournal
  /** Opens every port, migrating where the engine may do so by itself. Idempotent; what fails may be tried again. */
  open(signal?: AbortSignal): Promise<void>
  /** Creates or upgrades what the engine needs; a no-op where `open` does it. */
  migrate(): Promise<void>
  health(): Promise<PartHealth>
  /** Closes what it opened itself. Idempotent. */
  close(): Promise<void>
}
