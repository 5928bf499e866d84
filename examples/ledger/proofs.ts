// What has to hold of the log, whatever happened to the clerks.
import type { StoredEvent } from 'holdfast'
import type { Booked, Transfer } from './transfer.ts'

export interface Proof {
  readonly claim: string
  /** What contradicts it; none: it holds. */
  readonly violations: readonly string[]
}

export interface Evidence {
  readonly transfers: readonly Transfer[]
  /** Ids that a clerk was told are booked. */
  readonly acknowledged: ReadonlySet<string>
  /** As a reader that followed from the beginning was given it. */
  readonly followed: readonly StoredEvent[]
  /** As it was read when everything was over. */
  readonly log: readonly StoredEvent[]
}

const bookedOf = ({ data }: StoredEvent): Booked => data as Booked

export const prove = ({ transfers, acknowledged, followed, log }: Evidence): readonly Proof[] => [
  {
    claim: 'positions are 1, 2, 3, … without a gap',
    violations: log.flatMap(({ position }, i) => (position === BigInt(i + 1) ? [] : [`${position} stands where ${i + 1} is due`])),
  },
  {
    claim: "each account's versions rise with the positions, without a gap",
    violations: againstVersions(log),
  },
  {
    claim: 'the reader that followed saw the same events in the same order',
    violations: log.flatMap(({ id, position }, i) =>
      followed[i]?.id === id ? [] : [`${position}: ${followed[i]?.id ?? 'nothing'} instead of ${id}`],
    ),
  },
  { claim: 'every transfer is booked on both of its accounts, once', violations: notOnce(transfers, log) },
  {
    claim: 'every acknowledged transfer is there',
    violations: [...acknowledged].filter((id) => !log.some((event) => bookedOf(event).transfer === id)),
  },
  {
    claim: 'all accounts together hold what they began with: nothing',
    violations: sumOf(log) === 0 ? [] : [`they hold ${sumOf(log)} cents`],
  },
]

function againstVersions(log: readonly StoredEvent[]): string[] {
  const versions = new Map<string, number>()
  return log.flatMap(({ stream, version }) => {
    const due = (versions.get(stream) ?? 0) + 1
    versions.set(stream, version)
    return version === due ? [] : [`${stream}: version ${version} where ${due} is due`]
  })
}

function notOnce(transfers: readonly Transfer[], log: readonly StoredEvent[]): string[] {
  const places = new Map<string, string[]>()
  for (const event of log) {
    const { transfer, cents } = bookedOf(event)
    const found = places.get(transfer) ?? []
    found.push(`${event.stream} ${cents}`)
    places.set(transfer, found)
  }
  return transfers
    .filter(({ id, from, to, cents }) => (places.get(id) ?? []).sort().join() !== [`${from} ${-cents}`, `${to} ${cents}`].sort().join())
    .map(({ id }) => `${id}: ${places.get(id)?.join(', ') ?? 'nowhere'}`)
}

const sumOf = (log: readonly StoredEvent[]): number => log.reduce((sum, event) => sum + bookedOf(event).cents, 0)
