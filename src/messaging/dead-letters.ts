import { checkOptions, invalidOption } from '../core/options.ts'
import { any, optional, text, whole } from '../core/rules.ts'
import type { DeadReason, DeadRecord, DeadStore } from '../ports/transport.ts'
import { type EventDefinition, isEvent } from './event.ts'

/** A message that a group gave up. */
export interface DeadLetter {
  /** Of this dead letter: what `replay` and `delete` take. Sorts in the order of dying. */
  readonly id: string
  /** The event's name. */
  readonly event: string
  readonly group: string
  readonly message: {
    readonly id: string
    readonly version: number
    readonly key?: string
    /** As it came, whether or not it fits the schema; the text itself where it is no JSON. */
    readonly data: unknown
    readonly publishedEpochMs: number
  }
  readonly reason: DeadReason
  /** Wall-clock milliseconds since 1970. */
  readonly diedEpochMs: number
}

export interface DeadLetterFilter {
  readonly event?: EventDefinition<unknown> | string
  readonly group?: string
  /** At most this many, 1 to 1,000, default 100. */
  readonly limit?: number
  /** Only what died after this one: pass the last id of the page before. */
  readonly afterId?: string
}

/** The messages that were given up, kept by the transport: bounded, the oldest gives way to the newest. */
export interface DeadLetters {
  /**
   * Lists oldest first.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` · `NOT_STARTED` (effect none).
   */
  list(filter?: DeadLetterFilter): Promise<readonly DeadLetter[]>
  /**
   * Puts messages back at the end of their group's queue, with all their attempts; the other groups do not see them again. Unknown ids
   * are passed over. All, or none where there is no room.
   *
   * @returns how many were put back.
   * @throws {HoldfastError} `QUEUE_FULL` · `INVALID_OPTIONS` · `NOT_STARTED` (effect none).
   */
  replay(ids: readonly string[]): Promise<number>
  /**
   * Removes them for good. Unknown ids are passed over.
   *
   * @returns how many were removed.
   * @throws {HoldfastError} `INVALID_OPTIONS` · `NOT_STARTED` (effect none).
   */
  delete(ids: readonly string[]): Promise<number>
}

const rules = {
  event: optional(
    any<EventDefinition<unknown> | string>('an event or its name', (value) => typeof value === 'string' || isEvent(value), ''),
  ),
  group: optional(text('')),
  limit: whole({ min: 1, max: 1_000, default: 100 }),
  afterId: optional(text('')),
}

export function deadLetters(store: DeadStore, checkStarted: () => void): DeadLetters {
  return {
    async list(filter) {
      const { event, group, limit, afterId } = checkOptions('deadLetters.list', filter, rules)
      checkStarted()
      const name = typeof event === 'object' ? event.name : event
      const given = {
        ...(name !== undefined && { name }),
        ...(group !== undefined && { group }),
        ...(afterId !== undefined && { afterId }),
      }
      return (await store.list({ limit, ...given })).map(toDeadLetter)
    },
    async replay(ids) {
      checkIds('deadLetters.replay', ids)
      checkStarted()
      return store.replay(ids)
    },
    async delete(ids) {
      checkIds('deadLetters.delete', ids)
      checkStarted()
      return store.delete(ids)
    },
  }
}

function checkIds(owner: string, ids: unknown): void {
  if (!Array.isArray(ids) || ids.some((id) => typeof id !== 'string')) throw invalidOption(owner, 'ids', 'a list of ids', ids)
}

function toDeadLetter({ id, name, group, message, reason, diedEpochMs }: DeadRecord): DeadLetter {
  const { key, version, publishedEpochMs } = message
  const head = { id: message.id, version, ...(key !== undefined && { key }), publishedEpochMs }
  return { id, event: name, group, message: { ...head, data: dataOf(message.data) }, reason, diedEpochMs }
}

function dataOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
