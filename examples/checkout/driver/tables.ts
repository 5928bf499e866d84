import type { LedgerLine, Service } from '../participants/ledger.ts'
import type { ParticipantStats } from '../participants/participant.ts'
import { SERVICES } from './participants.ts'
import { bold } from './screen.ts'
import { type Tally, tallies, verdictOf } from './tally.ts'

/** Left-aligned first column, right-aligned numbers. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const texts = [head, ...rows].map((row) => row.map(String))
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)))
  const lines = texts.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))),
  )
  return lines.map((cells, index) => `  ${index === 0 ? bold(cells.join('  ')) : cells.join('  ')}`)
}

const ENDINGS = [
  'complete',
  'undone: out of stock',
  'undone: no courier',
  'undone: card declined',
  'undone: gave up on a service',
  'neither',
] as const

function endingOf(tally: Tally): (typeof ENDINGS)[number] {
  const verdict = verdictOf(tally)
  if (verdict !== 'compensated') return verdict
  const declined = tally.lines.find(({ event }) => event === 'declined')?.action
  if (declined === 'reserve') return 'undone: out of stock'
  if (declined === 'book') return 'undone: no courier'
  return declined === 'charge' ? 'undone: card declined' : 'undone: gave up on a service'
}

const COLUMNS = [
  ['done', 'reserve'],
  ['undone', 'reserve'],
  ['done', 'book'],
  ['undone', 'book'],
  ['done', 'charge'],
  ['done', 'ship'],
] as const

/** How the orders ended, and what the participants really did for them. */
export function endingsTable(ledger: readonly LedgerLine[]): string[] {
  const all = [...tallies(ledger).values()]
  const row = (name: string, of: readonly Tally[]) => [
    name,
    of.length,
    ...COLUMNS.map(([what, action]) => of.reduce((sum, tally) => sum + tally[what][action], 0)),
  ]
  const rows = ENDINGS.map((ending) =>
    row(
      ending,
      all.filter((tally) => endingOf(tally) === ending),
    ),
  ).filter(([, count]) => count !== 0)
  return table(['how it ended', 'orders', 'reserved', 'released', 'booked', 'cancelled', 'charged', 'shipped'], [...rows, row('all', all)])
}

/** What went wrong on purpose, and what it led to. */
export function troubleTable(
  stats: Readonly<Record<Service, ParticipantStats>>,
  ledger: readonly LedgerLine[],
  opened: Readonly<Record<string, number>>,
): string[] {
  const events = (service: Service, event: LedgerLine['event']) =>
    ledger.filter((line) => line.service === service && line.event === event).length
  return table(
    ['service', 'requests', 'errors', 'lost replies', 'too late', 'down', 'breaker opened', 'same key again', 'refused late'],
    SERVICES.map((service) => {
      const { requests, errors, lostReplies, late, outageReplies } = stats[service]
      const trouble = [requests, errors, lostReplies, late, outageReplies]
      return [service, ...trouble, `${opened[service] ?? 0}x`, events(service, 'repeated'), events(service, 'refused')]
    }),
  )
}
