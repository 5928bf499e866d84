import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { any, clock, durationMs, fn, required, whole } from '../../core/rules.ts'
import type { EventStore, NewEvent, StoredEvent } from '../../ports/event-store.ts'
import { Sealer } from './sealer.ts'
import { type ShreddedEventStore, ShreddedEvents } from './shredded-events.ts'
import { KeyCache, type SubjectKeys } from './subject-keys.ts'

export interface ShreddingOptions {
  /** Where the keys are: `keyValueKeys(…)`, or your own over a key management service. */
  readonly keys: SubjectKeys
  /** Whom an event is about, 1 to 200 characters; undefined: nobody, it is kept as it is. Default: its `metadata.subject`, where that is a text. */
  readonly subjectOf?: (event: NewEvent) => string | undefined
  /** How long a key that was read is used without asking again, in milliseconds, from 0; default 60,000. */
  readonly cacheTtlMs?: number
  /** How many keys are held at most; default 10,000. */
  readonly cached?: number
  /** What the time of keys is counted by. Default: the process's clock. */
  readonly clock?: Clock
}

const isKeys = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  ['load', 'forget'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const rules = {
  keys: required(any<SubjectKeys | undefined>('a store of keys with load and forget', isKeys, undefined)),
  subjectOf: fn<(event: NewEvent) => string | undefined>(({ metadata }) => {
    const subject = metadata?.subject
    return typeof subject === 'string' ? subject : undefined
  }),
  cacheTtlMs: durationMs({ default: 60_000 }),
  cached: whole({ default: 10_000 }),
  clock,
}

/** Whether the data of an event were destroyed with its subject's key: they are `undefined` then, which stored data never are. */
export const isForgotten = (event: StoredEvent): boolean => event.data === undefined

/**
 * An event store that encrypts the data of events about somebody, each person's with a key of its own, so that a log that is never changed can still
 * forget: `forget(subject)` destroys the key.
 *
 * **What is protected.** The `data` of events for which `subjectOf` names a subject: AES-256-GCM, bound to tenant, stream, type and subject.
 * Who reads the events' database, its replicas or its backups, without the keys, learns no data; who writes to it cannot change data, nor
 * move them to another stream, type or person, without the read failing.
 * **What is not.** Stream names, types, tags, ids, metadata, times, the length of data, and which events are about the same subject (its name in
 * there is an unkeyed hash): put nothing personal there, and let subjects be ids that mean nothing elsewhere. Who can write to the
 * database can remove events, swap two that have the same stream, type and subject, and put unencrypted data in the place of encrypted ones. Who has the keys reads everything. Memory of processes,
 * projections, logs and messages that have copied data are yours to clean.
 * **Keys have to be kept apart from the events**, with backups of their own: a backup that has both forgets nothing.
 *
 * A request with an `idempotencyKey` is encrypted to the same bytes each time, so that it is known again: its nonce comes from a key of the
 * subject's, the idempotency key and what is encrypted (all else has a random nonce). It reveals that two requests are one, which the key tells anyway.
 * The first `append` about a subject makes its key, outside of a transaction that it may be joined to. With `tenantEvents`: that one outside, or
 * directly inside.
 *
 * **Reading what is forgotten**: the event is there, with everything but its data: `data` is `undefined` (`isForgotten(event)`), in reads,
 * subscriptions and the `missed` of a conflict alike. Appending about a forgotten subject is answered `none` with `SUBJECT_FORGOTTEN`, also
 * where the idempotency key was answered before.
 *
 * Stored in the place of the data, version 1: `{ $shredded: { v: 1, subject, key, nonce, sealed } }`: the subject's name (64 hexadecimal digits of a
 * SHA-256), the key's id, 12 bytes and the ciphertext with 16 bytes of tag (base64url). Encrypted data are a third longer: of the store's bound
 * of 1 MiB about 780,000 bytes of JSON are left. Data of the user's own with a field `$shredded` are refused (`INVALID_INPUT`). What
 * was written before, or about nobody, is read as it is.
 *
 * @param options
 * - `keys`: the store of keys.
 * - `subjectOf`: whom an event is about; default its `metadata.subject`.
 * - `cacheTtlMs`: how long a key is used without asking again; default 60,000. `cached`: how many at most; default 10,000.
 * - `clock`: default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unfit option. Reads reject with `STORAGE_CORRUPT` (effect none), naming the event,
 * where data were changed, moved, or their key is not there and not forgotten either; with what the store of keys answers where that fails.
 * A request whose key cannot be had is answered `none`.
 * @example
 * ```ts
 * const events = shredding(storage.eventStore, { keys: keyValueKeys(vault.keyValue, { masterKey }) })
 * await events.append([one('customer-7', { type: 'moved', data: { street }, metadata: { subject: 'customer-7' } })])
 * await events.forget('customer-7')
 * ```
 *
 * Source: Mathias Verraes, *Eventsourcing Patterns: Crypto-Shredding* (2019); NIST SP 800-38D (GCM); NIST SP 800-88 revision 1 (cryptographic erase).
 * Whether a destroyed key is an erasure in the sense of a law is not for a library to say.
 */
export function shredding(store: EventStore, options: ShreddingOptions): ShreddedEventStore {
  const { keys, subjectOf, ...cache } = checkOptions('shredding', options, rules)
  const cached = new KeyCache(keys as SubjectKeys, cache)
  return new ShreddedEvents(store, new Sealer(cached, subjectOf), cached)
}
