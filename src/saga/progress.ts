import type { Effect } from '../core/outcome.ts'
import type { SagaState } from '../ports/saga-journal.ts'
import type { Entry, RecordData } from './records.ts'
import type { StoredError } from './stored-error.ts'

/** A step, or an undo, whose intent is recorded and whose end is not. */
export interface Open {
  readonly step: string
  readonly direction: 'run' | 'undo'
  readonly sinceEpochMs: number
  /** Attempts that failed and count. */
  attempts: number
  /** Attempts that a crash, a lost lease or a shutdown cut off. */
  interruptions: number
  /** An attempt may have had an effect. */
  maybe: boolean
}

/** How a step ended. */
export interface Ended {
  readonly effect: 'ok' | Effect
  readonly undone: boolean
}

/** Why a saga is being undone. */
export interface Cause {
  readonly step?: string
  readonly error?: StoredError
  readonly reason?: string
}

/**
 * Where a saga stands: its records, folded. The living saga and one that is read back go through the same fold, so that they cannot
 * differ.
 */
export class Progress {
  started: RecordData['started'] = {}
  /** What steps are called with: the input and the results so far. */
  readonly values: Record<string, unknown> = {}
  readonly ended = new Map<string, Ended>()
  open: Open | null = null
  cause: Cause | null = null
  parked: { readonly step: string | null; readonly reason: string; readonly error?: StoredError } | null = null
  finished: 'done' | 'undone' | null = null
  output: unknown
  /** The step of the last record that had one. */
  step: string | null = null

  get state(): SagaState {
    return this.finished ?? (this.parked !== null ? 'stuck' : this.cause !== null ? 'undoing' : 'running')
  }

  apply(entry: Entry): void {
    if (entry.step !== null) this.step = entry.step
    switch (entry.kind) {
      case 'started':
        this.started = entry.data
        this.values.input = entry.data.input
        return
      case 'intent':
      case 'undo':
        this.open = begun(entry.step ?? '', entry.kind === 'intent' ? 'run' : 'undo', entry.atEpochMs)
        return
      case 'cancelled':
        this.cause ??= { reason: entry.data.reason }
        return
      case 'stuck':
        this.parked = { step: entry.step, ...entry.data }
        return
      case 'done':
        this.finished = 'done'
        this.output = entry.data.output
        return
      default:
        this.#applyToOpen(entry)
    }
  }

  #applyToOpen(entry: Entry): void {
    const { open } = this
    switch (entry.kind) {
      case 'resumed':
        if (open !== null) open.interruptions += 1
        if (open !== null) open.maybe = true
        return
      case 'retry':
        if (open !== null) open.attempts += 1
        if (open !== null) open.maybe ||= entry.data.effect === 'unknown'
        return
      case 'retried':
        this.parked = null
        if (open !== null) Object.assign(open, { attempts: 0, interruptions: 0 })
        return
      case 'result':
        this.#end(entry.step ?? '', 'ok', entry.data.value)
        return
      case 'failed':
        this.#end(entry.step ?? '', entry.data.effect)
        this.cause ??= { step: entry.step ?? '', error: entry.data.error }
        return
      case 'undone':
        if (entry.step === null) this.finished = 'undone'
        else this.#undone(entry.step)
        return
      case 'skipped':
        this.parked = null
        if (open?.direction === 'undo') this.#undone(open.step)
        else if (open !== null) this.#end(open.step, 'ok')
    }
  }

  #end(step: string, effect: 'ok' | Effect, value?: unknown): void {
    this.open = null
    this.ended.set(step, { effect, undone: false })
    if (value !== undefined) this.values[step] = value
  }

  #undone(step: string): void {
    this.open = null
    this.ended.set(step, { effect: this.ended.get(step)?.effect ?? 'unknown', undone: true })
  }
}

const begun = (step: string, direction: 'run' | 'undo', sinceEpochMs: number): Open => ({
  step,
  direction,
  sinceEpochMs,
  attempts: 0,
  interruptions: 0,
  maybe: false,
})

export function replay(entries: readonly Entry[]): Progress {
  const progress = new Progress()
  for (const entry of entries) progress.apply(entry)
  return progress
}
