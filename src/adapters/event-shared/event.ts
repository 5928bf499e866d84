import { uuidv7 } from '../../core/ids.ts'
import { toJson } from '../../core/json.ts'
import { show } from '../../core/options.ts'
import type { NewEvent } from '../../ports/event-store.ts'
import { invalidInput, tooLarge } from '../storage-shared/refusals.ts'
import { checkText } from '../storage-shared/texts.ts'
import { DATA_MAX_BYTES, METADATA_MAX_BYTES, TAGS_MAX, TEXT_MAX } from './limits.ts'

/** An event whose JSON is text, as engines keep it. */
export interface CheckedEvent {
  readonly id: string
  readonly type: string
  readonly data: string
  readonly metadata: string
  /** Sorted, each once. */
  readonly tags: readonly string[]
}

/** A text of 1 to 200 characters, without NUL, which PostgreSQL cannot keep. */
export function checkShort(what: string, text: unknown): asserts text is string {
  checkText(what, text)
  if (text.length < 1 || text.length > TEXT_MAX) throw invalidInput(what, `a text of 1 to ${TEXT_MAX} characters`, `${text.length}`)
  if (text.includes('\0')) throw invalidInput(what, 'without NUL', show(text))
}

export function checkTags(what: string, tags: unknown): readonly string[] {
  if (tags === undefined) return []
  if (!Array.isArray(tags)) throw invalidInput(what, 'a list of texts', show(tags))
  if (tags.length > TAGS_MAX) throw tooLarge(what, `at most ${TAGS_MAX} texts`, `${tags.length}`)
  for (const tag of tags) checkShort(`${what}: a tag`, tag)
  return tags.length < 2 ? [...tags] : [...new Set<string>(tags)].sort()
}

/** Refuses what would not be given back as it was. */
export function checkEvent(what: string, event: NewEvent): CheckedEvent {
  if (typeof event !== 'object' || event === null) throw invalidInput(what, 'an event', show(event))
  // Read once: what was looked at is what is kept, also of a getter.
  const { id, type, data, metadata, tags } = event
  checkShort(`${what}: type`, type)
  if (id !== undefined) checkShort(`${what}: id`, id)
  const about = metadata === undefined ? '{}' : jsonOf(`${what}: metadata`, metadata, METADATA_MAX_BYTES)
  if (about[0] !== '{') throw invalidInput(`${what}: metadata`, 'an object', show(metadata))
  return {
    id: id ?? uuidv7(),
    type,
    data: jsonOf(`${what}: data`, data, DATA_MAX_BYTES),
    metadata: about,
    tags: checkTags(`${what}: tags`, tags),
  }
}

/** As in all of JSON.stringify's output, a lone surrogate is an escape there (`\ud800`), which is text that every engine keeps. */
function jsonOf(what: string, value: unknown, maxBytes: number): string {
  const json = toJson(what, value)
  // Each UTF-16 unit takes one to three bytes: only what lies between has to be counted.
  if (json.length * 3 > maxBytes && (json.length > maxBytes || Buffer.byteLength(json) > maxBytes))
    throw tooLarge(what, `at most ${maxBytes} bytes of JSON`, `${Buffer.byteLength(json)}`)
  return json
}
