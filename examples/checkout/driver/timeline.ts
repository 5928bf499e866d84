// One compensated order, told by the saga's journal and the participants' ledgers together.
import type { LedgerLine } from '../participants/ledger.ts'
import type { Kill } from './kills.ts'
import { bold, dim, yellow } from './screen.ts'
import { type Tally, tallies, verdictOf } from './tally.ts'

interface JournalRecord {
  readonly kind: string
  readonly step: string | null
  readonly atEpochMs: number
  readonly data: string
}

/** A compensated order with two undone steps, if possible one that a kill interrupted, and rather a short one. */
export function orderToShow(ledger: readonly LedgerLine[], kills: readonly Kill[]): string | undefined {
  const interrupted = new Set(kills.flatMap((kill) => kill.interrupted))
  const interest = (id: string, { undone, done, lines }: Tally) =>
    (undone.reserve > 0 ? 1_000 : 0) + (undone.book > 0 ? 1_000 : 0) + (done.book > 0 && interrupted.has(id) ? 500 : 0) - lines.length
  const [first] = [...tallies(ledger)]
    .filter(([, tally]) => verdictOf(tally) === 'compensated')
    .sort(([a, tallyA], [b, tallyB]) => interest(b, tallyB) - interest(a, tallyA))
  return first?.[0]
}

const SAID: Readonly<Record<LedgerLine['event'], (line: LedgerLine) => string>> = {
  effect: ({ action, amount }) => bold(`${action}: done (${amount})`),
  undo: ({ action, amount }) => bold(`${action}: undone (${amount})`),
  declined: ({ action, reason }) => bold(`${action}: declined, ${reason}`),
  repeated: ({ action }) => `${action}: asked again with the same key, same answer, no second effect`,
  tombstone: ({ action }) => `${action}: undone before it came; will be refused`,
  refused: ({ action }) => `${action}: came after its undo, refused`,
}

/** What the kinds of records mean, in words. */
const RECORDED: Readonly<Record<string, string>> = {
  started: 'accepted and durable',
  intent: 'about to begin',
  resumed: 'taken up again after the restart',
  retry: 'no answer or a bad one, trying again',
  result: 'done',
  failed: 'given up, so everything is undone',
  undo: 'about to be undone',
  undone: 'undone',
}

function recorded({ kind, step, data }: JournalRecord): string {
  if (kind === 'undone' && step === null) return bold('ended: undone')
  const said = RECORDED[kind] ?? kind
  const { error } = JSON.parse(data) as { readonly error?: { readonly code?: string; readonly message?: string } }
  if (kind === 'failed' && error?.code === 'DECLINED') return dim(`${step}: declined, so everything before is undone`)
  const why = error?.message === undefined ? '' : ` (${error.message})`
  return dim(step === null ? said : `${step}: ${said}${why}`)
}

export function timeline(
  order: string,
  ledger: readonly LedgerLine[],
  records: readonly JournalRecord[],
  kills: readonly Kill[],
): string[] {
  const startedEpochMs = records[0]?.atEpochMs ?? 0
  const endedEpochMs = records.at(-1)?.atEpochMs ?? 0
  const entries = [
    // Ledgers first: within one millisecond the saga writes down what a participant did.
    ...ledger
      .filter((line) => line.order === order)
      .map((line) => ({ atEpochMs: line.atEpochMs, who: line.service as string, text: SAID[line.event](line) })),
    ...records.map((record) => ({ atEpochMs: record.atEpochMs, who: 'journal', text: recorded(record) })),
    ...kills
      .filter(({ atEpochMs }) => atEpochMs > startedEpochMs && atEpochMs < endedEpochMs)
      .map(({ atEpochMs }) => ({ atEpochMs, who: 'demo', text: yellow('kills the order service') })),
  ]
  return entries
    .sort((a, b) => a.atEpochMs - b.atEpochMs)
    .map(({ atEpochMs, who, text }) => `  +${((atEpochMs - startedEpochMs) / 1_000).toFixed(3)} s  ${who.padEnd(9)}  ${text}`)
}
