import { HoldfastError } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import { show } from '../../core/options.ts'
import type { AppendRequest, NewEvent, StreamWrite } from '../../ports/event-store.ts'
import { isMarked, MARK, type Place } from './sealed.ts'
import { nameOf } from './subject-keys.ts'

const SUBJECT_MAX = 200

/** One event whose data are to be encrypted. */
export interface Secret {
  /** Which event, for messages. */
  readonly what: string
  /** Of the subject. */
  readonly name: string
  readonly json: string
  readonly place: Place
  /** What has to come out the same each time. */
  readonly repeat: string | undefined
}

/** A request as it was when it was handed in. */
export interface Draft {
  readonly request: AppendRequest
  /** By the event that it is about. */
  readonly secrets: ReadonlyMap<NewEvent, Secret>
}

export type SubjectOf = (event: NewEvent) => string | undefined

const invalid = (what: string, cause?: unknown): HoldfastError => new HoldfastError('INVALID_INPUT', what, { effect: 'none', cause })

/**
 * Reads a request once. What is malformed is left as it is: the store says what is wrong with it.
 *
 * @throws {HoldfastError} `INVALID_INPUT`, `NOT_JSON` (effect none).
 */
export function draftOf(request: AppendRequest, tenant: string, subjectOf: SubjectOf): Draft {
  const secrets = new Map<NewEvent, Secret>()
  if (typeof request !== 'object' || request === null) return { request, secrets }
  const copy = { ...request }
  if (!Array.isArray(copy.writes)) return { request: copy, secrets }
  const drafted = (write: StreamWrite): StreamWrite => {
    if (typeof write !== 'object' || write === null) return write
    const { stream, expect, events } = write
    if (!Array.isArray(events)) return { stream, expect, events }
    const at = { tenant: copy.tenant ?? tenant, stream, key: copy.idempotencyKey }
    return { stream, expect, events: events.map((event, i) => draftedEvent(event, i, at)) }
  }
  const draftedEvent = (event: NewEvent, i: number, at: { tenant: string; stream: string; key: string | undefined }): NewEvent => {
    if (typeof event !== 'object' || event === null) return event
    const copied = { ...event }
    const what = `append: ${show(at.stream)}: events[${i}]`
    const subject = subjectFor(what, copied, subjectOf)
    if (subject === undefined) return copied
    const { stream, tenant } = at
    const repeat = at.key === undefined ? undefined : JSON.stringify([at.key, i])
    const json = toJson(`${what}: data`, copied.data)
    secrets.set(copied, { what, name: nameOf(subject), json, repeat, place: { tenant, stream, type: copied.type } })
    return copied
  }
  return { request: { ...copy, writes: copy.writes.map(drafted) }, secrets }
}

function subjectFor(what: string, event: NewEvent, subjectOf: SubjectOf): string | undefined {
  let subject: unknown
  try {
    subject = subjectOf(event)
  } catch (cause) {
    throw invalid(`${what}: its subject cannot be told: ${String(cause)}`, cause)
  }
  if (subject === undefined) {
    if (isMarked(event.data)) throw invalid(`${what}: data: a field ${MARK} is what encrypted data have, and these are about nobody`)
    return undefined
  }
  if (typeof subject === 'string' && subject.length >= 1 && subject.length <= SUBJECT_MAX) return subject
  throw invalid(`${what}: its subject must be a text of 1 to ${SUBJECT_MAX} characters, got ${show(subject)}`)
}

/**
 * The same with everything copied, for a request that has to wait: what its caller changes meanwhile is not written.
 *
 * @throws {HoldfastError} `NOT_JSON` (effect none).
 */
export function settled({ request, secrets }: Draft): Draft {
  if (typeof request !== 'object' || request === null || !Array.isArray(request.writes)) return { request, secrets }
  const kept = new Map<NewEvent, Secret>()
  const copy = (event: NewEvent): NewEvent => {
    if (typeof event !== 'object' || event === null) return event
    const { data, metadata, tags, ...rest } = event
    const secret = secrets.get(event)
    const copied: NewEvent = {
      ...rest,
      data: secret === undefined ? copyOf('append: data', data) : null,
      ...(metadata === undefined ? {} : { metadata: copyOf('append: metadata', metadata) }),
      ...(tags === undefined ? {} : { tags: Array.isArray(tags) ? [...tags] : tags }),
    }
    if (secret !== undefined) kept.set(copied, secret)
    return copied
  }
  const writes = request.writes.map((write) =>
    Array.isArray(write?.events) ? { ...write, events: write.events.map((event: NewEvent) => copy(event)) } : write,
  )
  const { condition } = request
  return { request: { ...request, writes, ...(condition === undefined ? {} : { condition: structuredClone(condition) }) }, secrets: kept }
}

const copyOf = <T>(what: string, value: T): T => JSON.parse(toJson(what, value))
