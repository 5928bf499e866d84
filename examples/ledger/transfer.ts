// What a clerk does with one transfer: decides from the two accounts as they are, and appends to both of them or to none.
import type { EventStore } from 'holdfast'

export interface Transfer {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly cents: number
}

export interface Booked {
  readonly transfer: string
  readonly cents: number
}

/** The transfers of one clerk: the same each time, so that a clerk who was killed can begin again. */
export const transfersOf = (clerk: number, count: number, accounts: number): Transfer[] =>
  Array.from({ length: count }, (_, n) => {
    const from = (clerk * 7 + n * 3) % accounts
    const to = (from + 1 + (n % (accounts - 1))) % accounts
    return { id: `clerk ${clerk}, transfer ${n}`, from: `account ${from}`, to: `account ${to}`, cents: 1 + ((clerk + n) % 500) }
  })

async function versionOf(store: EventStore, account: string): Promise<number> {
  for await (const [last] of store.readStream(account, { backwards: true, batch: 1 })) return last?.version ?? 0
  return 0
}

/** Resolves once it is booked, by this call or by an earlier one with the same id; how often another clerk came between. */
export async function book(store: EventStore, { id, from, to, cents }: Transfer): Promise<number> {
  for (let beaten = 0; ; beaten++) {
    const write = async (account: string, sign: 1 | -1) => ({
      stream: account,
      expect: await versionOf(store, account),
      events: [{ type: sign < 0 ? 'debited' : 'credited', data: { transfer: id, cents: sign * cents } satisfies Booked }],
    })
    const request = { writes: [await write(from, -1), await write(to, 1)], idempotencyKey: id }
    const [verdict] = await store.append([request])
    if (verdict.result === 'ok' || verdict.result === 'duplicate') return beaten
    // A conflict: read again, decide again. Unknown, or refused for now: the same key makes it safe to ask again.
    if (verdict.result === 'none' && verdict.error.retry === 'never') throw verdict.error
  }
}
