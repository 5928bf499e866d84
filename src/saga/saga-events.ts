import { diagnostics } from '../core/diagnostics.ts'
import type { Emitter } from '../core/events.ts'
import type { Entry } from './records.ts'
import { restoreError } from './stored-error.ts'

export interface SagaEvent {
  /** The definition's name. */
  readonly saga: string
  readonly id: string
}
export interface SagaStepEvent extends SagaEvent {
  readonly step: string
}
export interface SagaErrorEvent extends SagaEvent {
  readonly step?: string
  readonly reason?: string
  readonly error?: Error
}

/** What sagas that this process works on did; each after it is durable. */
export type SagaEvents = {
  readonly started: SagaEvent
  readonly stepDone: SagaStepEvent
  readonly stepFailed: SagaErrorEvent
  readonly stepUndone: SagaStepEvent
  readonly cancelled: SagaErrorEvent
  readonly done: SagaEvent
  readonly undone: SagaEvent
  readonly stuck: SagaErrorEvent
}

/** Tells listeners and the diagnostics channel of records that have become durable. */
export function announce(events: Emitter<SagaEvents>, saga: string, id: string, entries: readonly Entry[]): void {
  for (const entry of entries) {
    emit(events, { saga, id }, entry)
    if (!diagnostics.saga.hasSubscribers) continue
    const { kind, step, atEpochMs, data } = entry
    diagnostics.saga.publish({ event: kind, saga, id, ...(step === null ? {} : { step }), atEpochMs, data })
  }
}

function emit(events: Emitter<SagaEvents>, about: SagaEvent, entry: Entry): void {
  const step = entry.step ?? ''
  if (entry.kind === 'started' || entry.kind === 'done') events.emit(entry.kind, about)
  else if (entry.kind === 'result') events.emit('stepDone', { ...about, step })
  else if (entry.kind === 'failed') events.emit('stepFailed', { ...about, step, error: restoreError(entry.data.error) })
  else if (entry.kind === 'cancelled') events.emit('cancelled', { ...about, reason: entry.data.reason })
  else if (entry.kind === 'stuck') events.emit('stuck', { ...about, ...stuckBy(entry) })
  else if (entry.kind === 'undone' && entry.step === null) events.emit('undone', about)
  else if (entry.kind === 'undone') events.emit('stepUndone', { ...about, step })
}

const stuckBy = ({ step, data }: Extract<Entry, { kind: 'stuck' }>): Omit<SagaErrorEvent, keyof SagaEvent> => ({
  reason: data.reason,
  ...(step === null ? {} : { step }),
  ...(data.error === undefined ? {} : { error: restoreError(data.error) }),
})
