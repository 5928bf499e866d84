import type { CheckpointWrite } from '../../ports/checkpoints.ts'
import type { AppendVerdict } from '../../ports/event-store.ts'
import type { Storage } from '../../ports/storage.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { logOf, names, one, streamOf, word } from './event-store-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

/** A fresh, empty, opened storage, and transactions of a client on the same database. */
export interface TransactionsStand {
  readonly transactions: Transactions<unknown>
  readonly storage: Pick<Storage, 'eventStore' | 'checkpoints'>
  /** What looks like a transaction of that client and is none: its pool, a client or handle outside a transaction. */
  readonly strangers: readonly unknown[]
  /** Closes and removes everything. */
  readonly close: () => Promise<void>
}

export type MakeTransactions = () => Promise<TransactionsStand>

const on =
  (body: (stand: TransactionsStand) => Promise<void>) =>
  async (make: MakeTransactions): Promise<void> => {
    const stand = await make()
    try {
      await body(stand)
    } finally {
      await stand.close()
    }
  }

const save: CheckpointWrite = { name: 'balances', from: 0n, to: 1n, incarnation: 'one', token: 1 }
const streams = async ({ storage }: TransactionsStand): Promise<string[]> => names(await logOf(storage.eventStore))

/** Joins one event, which has to be written. */
async function join({ storage }: TransactionsStand, tx: unknown, stream: string): Promise<string> {
  const verdict: AppendVerdict = await storage.eventStore.join(tx).append(one(stream, 'none'))
  if (verdict.result !== 'ok') throw new Error(`join: expected ok, got ${word(verdict)}`)
  return verdict.token
}

/**
 * What every `Transactions` has to show, as data for any test runner: each case names the promise of the port that it cites.
 *
 * Promises 2 (a commit whose answer is lost) and 5 are the adapters' own tests.
 */
export const transactionsContract: readonly ContractCase<MakeTransactions>[] = [
  {
    promise: 1,
    name: 'commits when the function resolves, and answers what it did',
    run: on(async (stand) => {
      const { transactions, storage } = stand
      let token = ''
      const answer = await transactions.run(async (tx) => {
        token = await join(stand, tx, 'a')
        same('nobody sees it before', await streams(stand), [])
        return { answered: 1 }
      })
      same('the answer', answer, { answered: 1 })
      same('its place', await storage.eventStore.waitFor(token), 1n)
      same('in the log', await streams(stand), ['a@1'])
    }),
  },
  {
    promise: 1,
    name: 'rolls back when the function rejects, and rejects with that very error',
    run: on(async (stand) => {
      const reason = new Error('no')
      const failed = await stand.transactions
        .run(async (tx) => {
          await join(stand, tx, 'a')
          throw reason
        })
        .then(
          () => 'it resolved',
          (error: unknown) => error,
        )
      check('that very error', failed === reason)
      same('nothing', [await streams(stand), await streamOf(stand.storage.eventStore, 'a')], [[], []])
      await stand.transactions.run((tx) => join(stand, tx, 'a'))
    }),
  },
  {
    promise: 1,
    name: 'gives each run a transaction of its own, also where several are asked for at once',
    run: on(async (stand) => {
      const runs = Array.from({ length: 6 }, (_, n) =>
        stand.transactions.run(async (tx) => {
          await join(stand, tx, `s${n}`)
          if (n % 2 === 1) throw new Error('odd')
          return n
        }),
      )
      const ended = await Promise.allSettled(runs)
      same(
        'the even ones',
        ended.map(({ status }) => status === 'fulfilled'),
        [true, false, true, false, true, false],
      )
      same('their events', (await streams(stand)).sort(), ['s0@1', 's2@1', 's4@1'])
    }),
  },
  {
    promise: 3,
    name: 'rolls back when the signal aborts while the function runs',
    run: on(async (stand) => {
      const caller = new AbortController()
      const error = await refuses('run', 'ABORTED', () =>
        stand.transactions.run(
          async (tx) => {
            await join(stand, tx, 'a')
            caller.abort()
            return 1
          },
          { signal: caller.signal },
        ),
      )
      same('effect', error.effect, 'none')
      same('nothing', await streams(stand), [])
      await stand.transactions.run((tx) => join(stand, tx, 'a'))
    }),
  },
  {
    promise: 3,
    name: 'begins nothing under a signal that has aborted',
    run: on(async (stand) => {
      let called = false
      const signal = AbortSignal.abort()
      const error = await refuses('run', 'ABORTED', () =>
        stand.transactions.run(
          async () => {
            called = true
          },
          { signal },
        ),
      )
      same('effect, called', [error.effect, called], ['none', false])
    }),
  },
  {
    promise: 4,
    name: 'carries the writes of several ports, all or none',
    run: on(async (stand) => {
      const { transactions, storage } = stand
      const both = async (tx: unknown): Promise<void> => {
        await join(stand, tx, 'a')
        same('saved', await storage.checkpoints.save(save, { tx }), { ok: true })
      }
      await transactions
        .run(async (tx) => {
          await both(tx)
          throw new Error('no')
        })
        .catch(() => {})
      same('none', [await streams(stand), await storage.checkpoints.load(save.name)], [[], undefined])
      await transactions.run(both)
      same('all', [await streams(stand), (await storage.checkpoints.load(save.name))?.position], [['a@1'], 1n])
    }),
  },
  {
    promise: 4,
    name: 'refuses a transaction that is over, with nothing written',
    run: on(async (stand) => {
      const { transactions, storage } = stand
      let kept: unknown
      await transactions.run(async (tx) => {
        kept = tx
        await join(stand, tx, 'a')
      })
      same('joined', word(await storage.eventStore.join(kept).append(one('b', 'none'))), 'none TX_NOT_OPEN')
      same('effect', (await refuses('save', 'TX_NOT_OPEN', () => storage.checkpoints.save(save, { tx: kept }))).effect, 'none')
      same('only what was in it', [await streams(stand), await storage.checkpoints.list()], [['a@1'], []])
    }),
  },
  {
    promise: 4,
    name: 'refuses what is no transaction, with nothing written',
    run: on(async (stand) => {
      const { eventStore, checkpoints } = stand.storage
      for (const tx of [...stand.strangers, undefined, null, 'tx', {}]) {
        same('joined', word(await eventStore.join(tx).append(one('b', 'none'))), 'none TX_NOT_OPEN')
        if (tx !== undefined) await refuses('save', 'TX_NOT_OPEN', () => checkpoints.save(save, { tx }))
      }
      same('nothing', [await streams(stand), await checkpoints.list()], [[], []])
    }),
  },
]
