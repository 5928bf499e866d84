// Promises 1, 2, 4, 5, 6 and 7: what was answered is what happened.
import { acknowledgedUs, askedUs, type Facts, isAcknowledged, type Known, type Tell } from './checker.ts'
import type { Answer, Ask, Place } from './history.ts'

export function checkVerdicts(facts: Facts, tell: Tell): void {
  const seen = new Set<string>()
  for (const { id } of facts.history.log) {
    if (seen.has(id)) tell(4, `event ${id} is in the log twice`)
    if (facts.ownerOf(id) === undefined) tell(1, `event ${id} is in the log and was never asked for`)
    seen.add(id)
  }
  const byTag = taggedEvents(facts)
  for (const known of facts.requests.values()) {
    presence(known, tell)
    for (const answer of known.answers) {
      if (isAcknowledged(answer)) receipt(known, answer, tell)
      else if (answer.result === 'conflict') conflict(facts, known, answer, byTag, tell)
    }
    if (known.found.length > 0) expectations(known, tell)
    if (known.found.length > 0) condition(known, byTag, tell)
  }
}

function presence({ ask, asks, answers, found }: Known, tell: Tell): void {
  const wanted = ask.writes.reduce((sum, { events }) => sum + events.length, 0)
  if (found.length !== 0 && found.length !== wanted) tell(5, `request ${ask.request}: ${found.length} of its ${wanted} events are there`)
  if (wanted === 0) return
  if (answers.some(isAcknowledged) && found.length === 0)
    tell(ask.joined ? 6 : 1, `request ${ask.request} was acknowledged and is not there`)
  const refused = answers.length === asks.length && answers.every(({ result }) => ['conflict', 'none', 'undone'].includes(result))
  if (refused && found.length > 0) tell(1, `request ${ask.request} was refused (${answers.map((a) => a.result).join(', ')}) and is there`)
}

/** Versions and position as they were answered. */
function receipt({ ask, found }: Known, answer: Answer, tell: Tell): void {
  ask.writes.forEach(({ stream, events }, i) => {
    const last = found.findLast((place) => place.stream === stream)
    if (events.length > 0 && last !== undefined && answer.versions?.[i] !== last.version)
      tell(2, `request ${ask.request}: ${stream} was said to be at ${answer.versions?.[i]} and is at ${last.version}`)
  })
  const last = found.at(-1)
  if (answer.position !== undefined && last !== undefined && answer.position !== last.position)
    tell(
      answer.result === 'duplicate' ? 4 : 3,
      `request ${ask.request}: position ${answer.position} was answered, ${last.position} is right`,
    )
}

/** The stream was as expected at the place where the request's events stand. */
function expectations({ ask, found }: Known, tell: Tell): void {
  for (const { stream, expect, events } of ask.writes) {
    const first = found.find((place) => place.stream === stream)
    if (events.length === 0 || first === undefined) continue
    const before = first.version - 1
    const holds = expect === 'any' || (expect === 'none' ? before === 0 : expect === 'exists' ? before > 0 : before === expect)
    if (!holds) tell(2, `request ${ask.request}: ${stream} was at ${before}, and ${expect} was expected`)
  }
}

/** Nothing that the condition excludes stands between what the writer had read and what it wrote. */
function condition({ ask, found }: Known, byTag: ReadonlyMap<string, readonly Place[]>, tell: Tell): void {
  if (ask.condition === undefined) return
  const { tags, after } = ask.condition
  const first = found[0]?.position ?? 0
  for (const other of matching(byTag, tags, after)) {
    if (other.position >= first) return
    tell(5, `request ${ask.request}: event ${other.id} at ${other.position} matches its condition (after ${after}, written at ${first})`)
  }
}

/** A conflict has to be true at some moment between the asking and the answer. */
function conflict(facts: Facts, { ask }: Known, answer: Answer, byTag: ReadonlyMap<string, readonly Place[]>, tell: Tell): void {
  if (answer.conflict?.reason === 'condition') conditionConflict(facts, ask, answer, byTag, tell)
  else streamConflict(facts, ask, answer, tell)
}

function conditionConflict(facts: Facts, ask: Ask, answer: Answer, byTag: ReadonlyMap<string, readonly Place[]>, tell: Tell): void {
  for (const place of matching(byTag, ask.condition?.tags ?? [], ask.condition?.after ?? 0)) {
    if (beganBy(facts, place, answer.answeredUs)) return
  }
  tell(5, `request ${ask.request} was refused for its condition, and nothing that matches was asked for before the answer`)
}

function streamConflict(facts: Facts, ask: Ask, answer: Answer, tell: Tell): void {
  const { stream = '', actual = 0 } = answer.conflict ?? {}
  const write = ask.writes.find((one) => one.stream === stream)
  if (write === undefined || agrees(write.expect, actual))
    tell(2, `request ${ask.request}: conflict at ${stream} ${actual}, as it expected`)
  const events = facts.streams.get(stream) ?? []
  const at = events[actual - 1]
  const next = events[actual]
  if (actual > 0 && (at === undefined || !beganBy(facts, at, answer.answeredUs)))
    tell(2, `request ${ask.request}: ${stream} cannot have been at ${actual} when it was answered`)
  if (next !== undefined && endedBy(facts, next, answer.askedUs))
    tell(2, `request ${ask.request}: ${stream} was past ${actual} before it was asked`)
}

const agrees = (expect: Ask['writes'][number]['expect'], actual: number): boolean =>
  expect === 'any' || (expect === 'none' ? actual === 0 : expect === 'exists' ? actual > 0 : actual === expect)

function beganBy({ ownerOf }: Facts, { id }: Place, us: number): boolean {
  const owner = ownerOf(id)
  return owner !== undefined && askedUs(owner) <= us
}

function endedBy({ ownerOf }: Facts, { id }: Place, us: number): boolean {
  const owner = ownerOf(id)
  const ended = owner === undefined ? undefined : acknowledgedUs(owner)
  return ended !== undefined && ended < us
}

function taggedEvents({ history: { log } }: Facts): Map<string, Place[]> {
  const byTag = new Map<string, Place[]>()
  for (const place of log)
    for (const tag of place.tags) {
      const list = byTag.get(tag)
      if (list === undefined) byTag.set(tag, [place])
      else list.push(place)
    }
  return byTag
}

/** Those that have all the tags and stand after that position, in order. */
function* matching(byTag: ReadonlyMap<string, readonly Place[]>, tags: readonly string[], after: number): Generator<Place> {
  const places = byTag.get(tags[0] ?? '') ?? []
  let low = 0
  for (let high = places.length; low < high; ) {
    const middle = (low + high) >> 1
    if ((places[middle]?.position ?? 0) > after) high = middle
    else low = middle + 1
  }
  for (; low < places.length; low++) {
    const place = places[low] as Place
    if (tags.every((tag) => place.tags.includes(tag))) yield place
  }
}
