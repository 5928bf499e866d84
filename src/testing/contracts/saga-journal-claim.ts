import type { SagaClaim, SagaJournal } from '../../ports/saga-journal.ts'
import { created, extension, fenceOf, LEASE_MS, type MakeSagaJournalStore, onStore, words } from './journal-store.ts'
import { type ContractCase, check, same } from './kit.ts'

const claim = (journal: SagaJournal, owner: string, shards = 4) => journal.claim(owner, { shards, leaseMs: LEASE_MS })
const shardsOf = (claims: readonly SagaClaim[]): number[] => claims.map((c) => c.fence.shard).sort((a, b) => a - b)
const epochs = (claims: readonly SagaClaim[]): Map<number, number> => new Map(claims.map((c) => [c.fence.shard, c.fence.epoch]))

const raised = (what: string, before: readonly SagaClaim[], after: readonly SagaClaim[]): void => {
  const former = epochs(before)
  for (const { fence } of after)
    check(`${what}: the epoch of shard ${fence.shard} is raised`, fence.epoch > (former.get(fence.shard) ?? Infinity))
}

export const claimCases: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 7,
    name: 'gives every free shard to the one who asks, and none of them to a second',
    run: onStore(async (first, second) => {
      same('the first', shardsOf(await claim(first, 'one')), [0, 1, 2, 3])
      same('the second', await claim(second, 'two'), [])
      same('more shards', shardsOf(await claim(second, 'two', 6)), [4, 5])
    }),
  },
  {
    promise: 7,
    name: 'says how long the lease lasts',
    run: onStore(async (journal) => {
      for (const { leaseMs } of await claim(journal, 'one')) check(`0 < ${leaseMs} <= ${LEASE_MS}`, leaseMs > 0 && leaseMs <= LEASE_MS)
    }),
  },
  {
    promise: 7,
    name: 'gives each shard to one of many who ask at once',
    run: onStore(async (first, second) => {
      const asked = await Promise.all(Array.from({ length: 6 }, (_, n) => claim(n % 2 === 0 ? first : second, `owner ${n}`)))
      same('all shards, once each', shardsOf(asked.flat()), [0, 1, 2, 3])
    }),
  },
  {
    promise: 7,
    name: 'keeps the epoch when its owner renews, and the lease lasts from then',
    run: onStore(async (first, second, store) => {
      const before = await claim(first, 'one')
      for (let round = 0; round < 3; round++) {
        await store.passMs(LEASE_MS * 0.6)
        same('the epochs', epochs(await claim(first, 'one')), epochs(before))
        same('the second', await claim(second, 'two'), [])
      }
    }),
  },
  {
    promise: 7,
    name: 'gives a shard to another once its lease has run out, under a higher epoch, and keeps it there',
    run: onStore(async (first, second, store) => {
      const before = await claim(first, 'one')
      await store.passMs(LEASE_MS)
      const after = await claim(second, 'two')
      same('the second', shardsOf(after), [0, 1, 2, 3])
      raised('taken', before, after)
      same('the first, late', await claim(first, 'one'), [])
    }),
  },
  {
    promise: 8,
    name: 'shows the new owner what was written under earlier epochs',
    run: onStore(async (first, second, store) => {
      await created(first, 'a')
      const old = await fenceOf(first, 'one')
      same('under the old epoch', words(await first.append([extension('a', 2, old, { state: 'undoing' })])), ['ok'])
      await store.passMs(LEASE_MS)
      await fenceOf(second, 'two')
      same(
        'listed',
        (await second.list({ shard: 0 })).map((head) => [head.id, head.state, head.seq]),
        [['a', 'undoing', 3]],
      )
      same('read', (await second.read('a')).length, 3)
    }),
  },
  {
    promise: 9,
    name: 'frees the shards of the holder at once, and of nobody else',
    run: onStore(async (first, second) => {
      const before = await claim(first, 'one')
      await second.release('two')
      same('not by another', await claim(second, 'two'), [])
      await first.release('one')
      const after = await claim(second, 'two')
      same('by the holder', shardsOf(after), [0, 1, 2, 3])
      raised('released', before, after)
      await first.release('one')
      same('a former holder frees nothing', await claim(first, 'one'), [])
    }),
  },
  {
    promise: 7,
    name: 'raises the epoch when a shard is taken again after its release',
    run: onStore(async (journal) => {
      const before = await claim(journal, 'one')
      await journal.release('one')
      raised('taken again', before, await claim(journal, 'one'))
    }),
  },
]
