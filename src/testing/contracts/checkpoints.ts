import type { Checkpoint, Checkpoints, CheckpointWrite } from '../../ports/checkpoints.ts'
import type { StandTransaction } from './event-store-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

/** Fresh, empty checkpoints that a contract case works on. */
export interface CheckpointsStand {
  /** One more opening, not yet opened: another process, as far as the engine can tell. */
  readonly checkpoints: () => Checkpoints
  /** Begins a transaction of the user's. Without it the cases that need `transactions` are left out. */
  readonly transaction?: () => Promise<StandTransaction>
  readonly close: () => Promise<void>
}

export type MakeCheckpoints = () => Promise<CheckpointsStand>

export interface CheckpointsCase extends ContractCase<MakeCheckpoints> {
  /** `transactions`: the user's own. `others`: that an open one holds up only who asks for the same row. */
  readonly needs?: 'transactions' | 'others'
}

const on =
  (body: (first: Checkpoints, second: Checkpoints, begin: () => Promise<StandTransaction>) => Promise<void>) =>
  async (make: MakeCheckpoints): Promise<void> => {
    const stand = await make()
    const [first, second] = [stand.checkpoints(), stand.checkpoints()]
    const begin = async (): Promise<StandTransaction> => {
      if (stand.transaction === undefined) throw new Error('this case needs transactions, and the stand has none')
      return await stand.transaction()
    }
    try {
      await first.open()
      await second.open()
      await body(first, second, begin)
    } finally {
      await first.close()
      await second.close()
      await stand.close()
    }
  }

const move = (from: bigint, to: bigint, change: Partial<CheckpointWrite> = {}): CheckpointWrite => ({
  name: 'balances',
  from,
  to,
  incarnation: 'one',
  token: 1,
  ...change,
})

/** Without the time. */
const bare = (checkpoint: Checkpoint | undefined): object | undefined => {
  if (checkpoint === undefined) return undefined
  const { updatedEpochMs, ...rest } = checkpoint
  check(`a time: ${updatedEpochMs}`, Number.isFinite(updatedEpochMs) && updatedEpochMs > Date.UTC(2020, 0, 1))
  return rest
}

const at = (position: bigint, change: Partial<Checkpoint> = {}): object => ({
  name: 'balances',
  position,
  incarnation: 'one',
  token: 1,
  ...change,
})

/** A verdict in short: `ok`, or why not and where it stands. */
async function saved(checkpoints: Checkpoints, write: CheckpointWrite, tx?: unknown): Promise<unknown> {
  const verdict = await checkpoints.save(write, tx === undefined ? {} : { tx })
  return verdict.ok ? 'ok' : [verdict.reason, verdict.stored?.position]
}

export const checkpointsContract: readonly CheckpointsCase[] = [
  {
    promise: 1,
    name: 'moves a checkpoint from where it stands, for every process',
    run: on(async (first, second) => {
      same('none yet', await first.load('balances'), undefined)
      same('the first', await saved(first, move(0n, 5n)), 'ok')
      same('as saved', bare(await second.load('balances')), at(5n))
      same('the next', await saved(second, move(5n, 9n)), 'ok')
      same('standing still', await saved(second, move(9n, 9n)), 'ok')
      same('large', await saved(first, move(9n, 2n ** 62n)), 'ok')
      same('as saved', bare(await second.load('balances')), at(2n ** 62n))
      same('another name', await second.load('Balances'), undefined)
    }),
  },
  {
    promise: 1,
    name: 'answers a double with what is stored, and changes nothing',
    run: on(async (first, second) => {
      same('from where nothing is', await saved(first, move(3n, 5n)), ['moved', undefined])
      await saved(first, move(0n, 5n))
      const verdict = await second.save(move(0n, 7n))
      same('a double', verdict.ok ? 'ok' : [verdict.reason, bare(verdict.stored)], ['moved', at(5n)])
      same('from beyond', await saved(second, move(6n, 7n)), ['moved', 5n])
      same('unchanged', bare(await first.load('balances')), at(5n))
    }),
  },
  {
    promise: 1,
    name: 'answers a zombie, whose token is lower than the stored one, and changes nothing',
    run: on(async (first, second) => {
      await saved(first, move(0n, 5n, { token: 3 }))
      same('a zombie', await saved(second, move(5n, 6n, { token: 2 })), ['fenced', 5n])
      same('also with another from', await saved(second, move(1n, 6n, { token: 2 })), ['fenced', 5n])
      same('the same token', await saved(second, move(5n, 6n, { token: 3 })), 'ok')
      same('a higher one', await saved(second, move(6n, 7n, { token: 4 })), 'ok')
      same('the former', await saved(first, move(7n, 8n, { token: 3 })), ['fenced', 7n])
      same('as saved', bare(await first.load('balances')), at(7n, { token: 4 }))
    }),
  },
  {
    promise: 1,
    name: 'lets one of many racers move it',
    run: on(async (first, second) => {
      for (const from of [0n, 1n]) {
        const racing = await Promise.all(Array.from({ length: 10 }, (_, n) => saved(n % 2 === 0 ? first : second, move(from, from + 1n))))
        same(`from ${from}`, racing.filter((verdict) => verdict === 'ok').length, 1)
      }
    }),
  },
  {
    promise: 3,
    name: 'takes another incarnation only from 0',
    run: on(async (first) => {
      await saved(first, move(0n, 5n))
      same('from where it stands', await saved(first, move(5n, 6n, { incarnation: 'two' })), ['moved', 5n])
      same('anew', await saved(first, move(0n, 2n, { incarnation: 'two' })), 'ok')
      same('as saved', bare(await first.load('balances')), at(2n, { incarnation: 'two' }))
      same('the former one', await saved(first, move(5n, 6n)), ['moved', 2n])
    }),
  },
  {
    promise: 2,
    name: 'commits and vanishes with the transaction',
    needs: 'transactions',
    run: on(async (first, second, begin) => {
      for (const end of ['rollback', 'commit'] as const) {
        const transaction = await begin()
        same('saved', await saved(first, move(0n, 5n), transaction.tx), 'ok')
        same('on its own writes', await saved(first, move(5n, 6n), transaction.tx), 'ok')
        same('a double', await saved(first, move(0n, 6n), transaction.tx), ['moved', 6n])
        same('not seen yet', await second.load('balances'), undefined)
        await transaction[end]()
        same(end, bare(await second.load('balances')), end === 'commit' ? at(6n) : undefined)
      }
      for (const tx of [null, 42, {}]) await refuses('no transaction', 'TX_NOT_OPEN', () => first.save(move(6n, 7n), { tx }))
      const over = await begin()
      await over.commit()
      await refuses('one that is over', 'TX_NOT_OPEN', () => first.save(move(6n, 7n), { tx: over.tx }))
      same('unchanged', bare(await second.load('balances')), at(6n))
    }),
  },
  {
    promise: 2,
    name: 'holds only its own row until the transaction ends',
    needs: 'others',
    run: on(async (first, second, begin) => {
      const transaction = await begin()
      await saved(first, move(0n, 5n), transaction.tx)
      same('another row', await saved(second, move(0n, 1n, { name: 'other' })), 'ok')
      const waiting = saved(second, move(0n, 7n))
      await transaction.commit()
      same('the same row, after it', await waiting, ['moved', 5n])
    }),
  },
  {
    promise: 4,
    name: 'lists by name in the order of code points, in pages, and deletes',
    run: on(async (first, second) => {
      const names = ['a', 'B', 'ü', '\uffee', '𝄞', 'b', 'ab', "it's"]
      for (const name of names) await saved(first, move(0n, 1n, { name }))
      const sorted = ['B', 'a', 'ab', 'b', "it's", 'ü', '\uffee', '𝄞']
      const listed = async (filter: object) => (await second.list(filter)).map(({ name }) => name)
      same('all', await listed({}), sorted)
      same('a page', await listed({ limit: 3 }), sorted.slice(0, 3))
      same('the next', await listed({ limit: 3, afterName: 'ab' }), sorted.slice(3, 6))
      same('after the last', await listed({ afterName: '𝄞' }), [])
      same('deleted', [await first.delete('ab'), await second.delete('ab')], [true, false])
      same('gone', [await second.load('ab'), (await listed({})).includes('ab')], [undefined, false])
      same('begins anew', await saved(second, move(0n, 3n, { name: 'ab', token: 0 })), 'ok')
    }),
  },
  {
    promise: 4,
    name: 'refuses unfit names and writes, and everything while it is not open',
    run: async (make) => {
      await on(async (first) => {
        for (const name of ['', 'ü'.repeat(257), 7 as unknown as string]) {
          await refuses('load', 'INVALID_INPUT', () => first.load(name))
          await refuses('save', 'INVALID_INPUT', () => first.save(move(0n, 1n, { name })))
          await refuses('delete', 'INVALID_INPUT', () => first.delete(name))
        }
        await refuses('a lone surrogate', 'NOT_JSON', () => first.load('a\ud800'))
        for (const change of [{ from: -1n }, { to: -1n }, { to: 5 as unknown as bigint }, { token: 1.5 }, { incarnation: '' }])
          await refuses('save', 'INVALID_INPUT', () => first.save({ ...move(0n, 1n), ...change }))
        same('512 bytes', await saved(first, move(0n, 1n, { name: 'ü'.repeat(256) })), 'ok')
        const signal = AbortSignal.abort()
        await refuses('load', 'ABORTED', () => first.load('balances', signal))
        await refuses('save', 'ABORTED', () => first.save(move(0n, 1n), { signal }))
        same('nothing written', await first.load('balances'), undefined)
      })(make)
      const stand = await make()
      const closed = stand.checkpoints()
      await refuses('load', 'NOT_STARTED', () => closed.load('a'))
      await refuses('save', 'NOT_STARTED', () => closed.save(move(0n, 1n)))
      await refuses('list', 'NOT_STARTED', () => closed.list())
      await refuses('delete', 'NOT_STARTED', () => closed.delete('a'))
      await stand.close()
    },
  },
]
