// What is proved at the end. Pure: evidence in, verdicts out.
import { type Order, unitsOf } from '../order.ts'
import type { Action, LedgerLine } from '../participants/ledger.ts'
import { NOTHING, type Tally, tallies, verdictOf } from './tally.ts'

export interface Evidence {
  readonly orders: readonly Order[]
  /** Each participant's lines in the order they were written. */
  readonly ledger: readonly LedgerLine[]
  /** Where each saga stands in the journal, by order id. */
  readonly sagas: ReadonlyMap<string, string>
  /** What the read model shows, by order id. */
  readonly view: ReadonlyMap<string, string>
  /** How many sagas each kill interrupted. */
  readonly interrupted: readonly number[]
}

interface Proof {
  readonly claim: string
  /** The numbers behind it. */
  readonly detail: string
  /** Why it does not hold; empty when it does. */
  readonly violations: readonly string[]
}

interface Case extends Evidence {
  readonly each: readonly { readonly order: Order; readonly tally: Tally }[]
}

const perOrder = (evidence: Case, violation: (order: Order, tally: Tally) => string | undefined): string[] =>
  evidence.each.flatMap(({ order, tally }) => {
    const why = violation(order, tally)
    return why === undefined ? [] : [`${order.id}: ${why}`]
  })

const counts = ({ done, undone }: Tally) =>
  `reserved ${done.reserve}, released ${undone.reserve}, booked ${done.book}, cancelled ${undone.book}, charged ${done.charge}, shipped ${done.ship}`

const sumOf = (lines: readonly LedgerLine[], event: LedgerLine['event'], action: Action) =>
  lines.reduce((sum, line) => (line.event === event && line.action === action ? sum + line.amount : sum), 0)

function allOrNothing(evidence: Case): Proof {
  const verdicts = evidence.each.map(({ tally }) => verdictOf(tally))
  const complete = verdicts.filter((verdict) => verdict === 'complete').length
  const compensated = verdicts.filter((verdict) => verdict === 'compensated').length
  return {
    claim: 'every order is either complete or fully compensated',
    detail: `${complete} complete + ${compensated} compensated = ${complete + compensated} of ${evidence.orders.length}`,
    violations: perOrder(evidence, (_, tally) => (verdictOf(tally) === 'neither' ? counts(tally) : undefined)),
  }
}

function chargedOnce(evidence: Case): Proof {
  const charges = evidence.ledger.filter(({ event, action }) => event === 'effect' && action === 'charge')
  return {
    claim: 'no charge is doubled, every amount is right',
    detail: `${charges.length} charges for ${new Set(charges.map(({ order }) => order)).size} orders`,
    violations: perOrder(evidence, (order, { done, lines }) => {
      if (done.charge > 1) return `charged ${done.charge} times`
      const charged = sumOf(lines, 'effect', 'charge')
      return done.charge === 1 && charged !== order.totalCents ? `charged ${charged} cents, not ${order.totalCents}` : undefined
    }),
  }
}

function paidAndSent(evidence: Case): Proof {
  const sent = evidence.each.filter(({ tally }) => tally.done.ship > 0).length
  return {
    claim: 'nothing is shipped without a charge, nothing charged without a shipment',
    detail: `${sent} parcels`,
    violations: perOrder(evidence, (_, { done, lines }) => {
      if (done.ship > 0 && done.charge === 0) return 'shipped without a charge'
      if (done.charge > 0 && done.ship === 0) return 'charged, never shipped'
      const at = (action: Action) => lines.find((line) => line.event === 'effect' && line.action === action)?.atEpochMs ?? 0
      return done.ship > 0 && at('ship') < at('charge') ? 'shipped before it was charged' : undefined
    }),
  }
}

function noLateEffect(evidence: Case): Proof {
  const refused = evidence.ledger.filter(({ event }) => event === 'refused').length
  return {
    claim: 'no effect happened after its compensation',
    detail: `${refused} late effects came and were refused`,
    violations: perOrder(evidence, (_, { lines }) => {
      const over = new Set<Action>()
      for (const { event, action } of lines) {
        if (event === 'effect' && over.has(action)) return `${action} after it was undone`
        if (event === 'undo' || event === 'tombstone') over.add(action)
      }
      return undefined
    }),
  }
}

function reverseOrder(evidence: Case): Proof {
  const undoneAt = (lines: readonly LedgerLine[], action: Action) =>
    lines.find((line) => (line.event === 'undo' || line.event === 'tombstone') && line.action === action)?.atEpochMs
  const both = evidence.each.filter(
    ({ tally }) => undoneAt(tally.lines, 'book') !== undefined && undoneAt(tally.lines, 'reserve') !== undefined,
  )
  return {
    claim: 'compensations ran in reverse order',
    detail: `${both.length} orders with two`,
    violations: perOrder({ ...evidence, each: both }, (_, { lines }) =>
      (undoneAt(lines, 'reserve') ?? 0) < (undoneAt(lines, 'book') ?? 0) ? 'the reservation was released before the booking' : undefined,
    ),
  }
}

function booksBalance({ ledger, each }: Case): Proof {
  const complete = each.filter(({ tally }) => verdictOf(tally) === 'complete').map(({ order }) => order)
  const units = complete.reduce((sum, order) => sum + unitsOf(order), 0)
  const cents = complete.reduce((sum, order) => sum + order.totalCents, 0)
  const gone = sumOf(ledger, 'effect', 'reserve') - sumOf(ledger, 'undo', 'reserve')
  const taken = sumOf(ledger, 'effect', 'charge')
  const known = new Set(each.map(({ order }) => order.id))
  const strangers = [...new Set(ledger.map(({ order }) => order))].filter((id) => !known.has(id))
  return {
    claim: 'stock and money add up',
    detail: `${gone} pieces gone, ${(taken / 100).toFixed(2)} taken`,
    violations: [
      ...(gone === units ? [] : [`${gone} pieces left the shelf, the complete orders ask for ${units}`]),
      ...(taken === cents ? [] : [`${taken} cents were taken, the complete orders cost ${cents}`]),
      ...strangers.map((id) => `${id}: in a ledger, but nobody placed it`),
    ],
  }
}

function nothingStuck(evidence: Case): Proof {
  const expected = { complete: 'done', compensated: 'undone' } as const
  return {
    claim: 'nothing is stuck or in flight, and every saga ended as the ledgers say',
    detail: `${evidence.sagas.size} sagas in the journal`,
    violations: perOrder(evidence, ({ id }, tally) => {
      const state = evidence.sagas.get(id) ?? 'missing'
      const verdict = verdictOf(tally)
      // What is neither is the first proof's matter; here it must only have ended.
      const isFine = verdict === 'neither' ? state === 'done' || state === 'undone' : state === expected[verdict]
      return isFine ? undefined : `the saga is ${state}, the ledgers say ${verdict}`
    }),
  }
}

function viewAgrees(evidence: Case): Proof {
  const expected = { complete: 'complete', compensated: 'undone' } as const
  return {
    claim: 'the read model agrees with the ledgers',
    detail: `${evidence.view.size} orders shown`,
    violations: perOrder(evidence, ({ id }, tally) => {
      const shown = evidence.view.get(id) ?? 'missing'
      const verdict = verdictOf(tally)
      return verdict === 'neither' || shown === expected[verdict] ? undefined : `it shows ${shown}, the ledgers say ${verdict}`
    }),
  }
}

function killsMattered({ interrupted }: Case): Proof {
  return {
    claim: 'both kills hit sagas in flight',
    detail: `${interrupted.join(' and ')} interrupted`,
    violations: interrupted.length === 2 && interrupted.every((n) => n > 0) ? [] : [`interrupted: ${interrupted.join(', ') || 'none'}`],
  }
}

const PROOFS = [allOrNothing, chargedOnce, paidAndSent, noLateEffect, reverseOrder, booksBalance, nothingStuck, viewAgrees, killsMattered]

export function prove(evidence: Evidence): readonly Proof[] {
  const found = tallies(evidence.ledger)
  const each = evidence.orders.map((order) => ({ order, tally: found.get(order.id) ?? NOTHING }))
  return PROOFS.map((proof) => proof({ ...evidence, each }))
}
