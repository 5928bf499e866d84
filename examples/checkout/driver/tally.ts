import type { Action, LedgerLine } from '../participants/ledger.ts'

/** What really happened to one order, counted from the participants' ledgers. */
export interface Tally {
  readonly done: Readonly<Record<Action, number>>
  readonly undone: Readonly<Record<Action, number>>
  readonly lines: readonly LedgerLine[]
}

export type Verdict = 'complete' | 'compensated' | 'neither'

const none = (): Record<Action, number> => ({ reserve: 0, book: 0, charge: 0, ship: 0 })

/** Order id → its tally. Orders without a line are not in it. */
export function tallies(ledger: readonly LedgerLine[]): ReadonlyMap<string, Tally> {
  const found = new Map<string, { done: Record<Action, number>; undone: Record<Action, number>; lines: LedgerLine[] }>()
  for (const line of ledger) {
    const tally = found.get(line.order) ?? { done: none(), undone: none(), lines: [] }
    found.set(line.order, tally)
    tally.lines.push(line)
    if (line.event === 'effect') tally.done[line.action] += 1
    if (line.event === 'undo') tally.undone[line.action] += 1
  }
  return found
}

export const NOTHING: Tally = { done: none(), undone: none(), lines: [] }

/** Complete: each action once, none undone. Compensated: whatever was done, once at most, was undone as often. */
export function verdictOf({ done, undone }: Tally): Verdict {
  const actions = ['reserve', 'book', 'charge', 'ship'] as const
  if (actions.every((action) => done[action] === 1 && undone[action] === 0)) return 'complete'
  return actions.every((action) => done[action] <= 1 && done[action] === undone[action]) ? 'compensated' : 'neither'
}
