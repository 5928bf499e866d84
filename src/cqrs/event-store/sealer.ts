import { HoldfastError, refusal } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type { AppendRequest, NewEvent, StoredEvent } from '../../ports/event-store.ts'
import { type Draft, draftOf, type SubjectOf } from './draft.ts'
import type { Prepared } from './prepared.ts'
import { corrupt, type Place, seal, sealedOf, unseal } from './sealed.ts'
import type { DerivedKey, KeyCache } from './subject-keys.ts'

/** Keys that are asked for at a time. */
const LOADS = 16

type Loaded = DerivedKey | 'forgotten' | undefined

/** Encrypts requests on their way to the store, and decrypts events on their way from it. */
export class Sealer {
  readonly #keys: KeyCache
  readonly #subjectOf: SubjectOf

  constructor(keys: KeyCache, subjectOf: SubjectOf) {
    this.#keys = keys
    this.#subjectOf = subjectOf
  }

  /** @throws {HoldfastError} `INVALID_INPUT`, `NOT_JSON` (effect none). */
  draft(request: AppendRequest, tenant: string): Draft {
    return draftOf(request, tenant, this.#subjectOf)
  }

  async sealed({ request, secrets }: Draft, signal: AbortSignal | undefined): Promise<Prepared> {
    if (secrets.size === 0) return { pass: request }
    try {
      const keys = await this.#load(
        [...secrets.values()].map(({ name }) => name),
        true,
        signal,
      )
      const sealedEvent = (event: NewEvent): NewEvent => {
        const secret = secrets.get(event)
        if (secret === undefined) return event
        const { what, name, json, place, repeat } = secret
        const key = keys.get(name)
        if (key === undefined || key === 'forgotten') throw forgotten(what)
        return { ...event, data: seal(key, name, place, json, repeat) }
      }
      const writes = request.writes.map((write) =>
        Array.isArray(write?.events) ? { ...write, events: write.events.map(sealedEvent) } : write,
      )
      return { pass: { ...request, writes } }
    } catch (error) {
      return { answer: { result: 'none', error: keyless(error) } }
    }
  }

  async opened(events: readonly StoredEvent[], signal: AbortSignal | undefined): Promise<readonly StoredEvent[]> {
    const subjects = events.map((event) => reading(event, () => sealedOf(event.data)?.subject))
    const keys = await this.#load(
      subjects.flatMap((name) => name ?? []),
      false,
      signal,
    )
    return events.map((event, at) => {
      const name = subjects[at]
      return name === undefined ? event : openedWith(keys.get(name), event)
    })
  }

  /** Each once, a few at a time. */
  async #load(names: readonly string[], create: boolean, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, Loaded>> {
    const keys = new Map<string, Loaded>()
    const distinct = [...new Set(names)]
    const left = distinct.values()
    const work = async (): Promise<void> => {
      for (const name of left) keys.set(name, await this.#keys.key(name, create, signal))
    }
    await Promise.all(Array.from({ length: Math.min(LOADS, distinct.length) }, work))
    return keys
  }
}

function openedWith(key: Loaded, event: StoredEvent): StoredEvent {
  if (key === 'forgotten') return { ...event, data: undefined }
  const place: Place = event
  const data = reading(event, () => {
    const sealed = sealedOf(event.data)
    if (key === undefined || sealed === undefined) throw new Error('its subject has no key, and was not forgotten')
    return unseal(key, sealed, place)
  })
  return { ...event, data }
}

function reading<T>(event: StoredEvent, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { tenant, stream, version, id, position } = event
    const why = cause instanceof Error ? cause.message : String(cause)
    const what = `the data of ${show(stream)} version ${version} (${show(id)}) cannot be decrypted: ${why}`
    throw corrupt(what, { tenant, stream, version, id, position }, cause)
  }
}

const forgotten = (what: string): HoldfastError =>
  refusal('SUBJECT_FORGOTTEN', `${what}: its subject was forgotten, and no event about it is taken`, { retry: 'never' })

/** Why a request was not encrypted: whatever became of its keys, no event was written. */
function keyless(error: unknown): HoldfastError {
  if (!(error instanceof HoldfastError))
    return refusal('STORAGE_UNAVAILABLE', `append: the store of keys failed: ${String(error)}`, { cause: error })
  if (error.effect === 'none') return error
  const { code, message, retry, details, cause } = error
  return new HoldfastError(code, message, { effect: 'none', retry, details, cause })
}
