import type { KeyChange, KeyEntry, KeyValue, PutVerdict } from '../../ports/key-value.ts'
import { check, same } from './kit.ts'

/** One fresh, empty store that a contract case works on. */
export interface KeyValueStand {
  /** One more opening of the same store, not yet opened: another process, as far as the engine can tell. */
  readonly keyValue: () => KeyValue
  /** Lets so much of the time pass by which keys end: moves the test clock, or waits where the engine's own clock counts. */
  readonly passMs: (ms: number) => Promise<void>
  /** The longest value that this engine keeps; default 1 MiB. */
  readonly valueMaxBytes?: number
  /** Closes and removes everything. */
  readonly close: () => Promise<void>
}

export type MakeKeyValue = () => Promise<KeyValueStand>

/** How long the cases' keys last. An engine with a clock of its own waits for a few of them. */
export const TTL_MS = 400

/** In the order of their UTF-8 bytes: U+FF5E sorts before U+1F600, though not by UTF-16 units. */
export const ORDERED = [
  '\u0000',
  '%',
  '*',
  'A',
  'A\u0000',
  'A\u0000b',
  'A:b',
  'Ab',
  '[a-z]',
  '_',
  'a',
  'a\r\nb',
  'a b',
  'a\\',
  '{a}b',
  'ä',
  '\ud7ff',
  '\ue000',
  '\uff5e',
  '\u{1f600}',
  '\u{1f600}x',
  '\u{10ffff}',
]

export const LONE = ['\ud800', 'a\udc00b', '\udc00\ud800', 'x\ud83d']

/** Runs a case on a fresh store with two opened openings of it, and ends them. */
export const onKeys =
  (body: (first: KeyValue, second: KeyValue, stand: KeyValueStand) => Promise<void>) =>
  async (make: MakeKeyValue): Promise<void> => {
    const stand = await make()
    const first = stand.keyValue()
    const second = stand.keyValue()
    try {
      await first.open()
      await second.open()
      await body(first, second, stand)
    } finally {
      await first.close()
      await second.close()
      await stand.close()
    }
  }

/** Puts, and answers the revision. */
export async function revisionOf(verdict: Promise<PutVerdict>): Promise<number> {
  const answer = await verdict
  if (!answer.ok) throw new Error(`put: expected ok, it was refused for ${JSON.stringify(answer.entry)}`)
  return answer.revision
}

/** What can be compared of an entry: all but the time that is left, which is checked to be within 1 and `mostMs`. */
export function plain(entry: KeyEntry | undefined, mostMs?: number): object | undefined {
  if (entry === undefined) return undefined
  const { remainingMs, ...rest } = entry
  same(`${entry.key}: has an end`, remainingMs !== undefined, mostMs !== undefined)
  if (mostMs !== undefined) within(entry.key, remainingMs, mostMs)
  return rest
}

export const within = (what: string, remainingMs: number | undefined, mostMs: number): void =>
  check(`${what}: 0 < ${remainingMs} <= ${mostMs} ms remain`, remainingMs !== undefined && remainingMs > 0 && remainingMs <= mostMs)

/** A watch whose changes are gathered as they come. */
export interface Gathered {
  readonly changes: KeyChange[]
  /** How its loop ended. */
  readonly ended: Promise<unknown>
}

export function gather(feed: AsyncIterable<KeyChange>): Gathered {
  const changes: KeyChange[] = []
  const read = async (): Promise<unknown> => {
    for await (const change of feed) changes.push(change)
    return 'done'
  }
  return { changes, ended: read().catch((error: unknown) => error) }
}

/** The latest state that a watch has told of each key. */
export const latest = ({ changes }: Gathered): Map<string, string | undefined> =>
  new Map(changes.map(({ key, entry }) => [key, entry?.value]))

const ROUNDS = 150

/** Lets time pass until something holds, for three seconds at most. */
export async function eventually(what: string, stand: KeyValueStand, holds: () => boolean): Promise<void> {
  for (let round = 0; round < ROUNDS && !holds(); round++) await stand.passMs(20)
  check(what, holds())
}
