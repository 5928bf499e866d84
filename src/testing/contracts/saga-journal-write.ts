import type { SagaWrite } from '../../ports/saga-journal.ts'
import {
  AT_MS,
  created,
  creation,
  extension,
  fenceOf,
  headOf,
  LEASE_MS,
  type MakeSagaJournalStore,
  onStore,
  record,
  words,
} from './journal-store.ts'
import { type ContractCase, check, same } from './kit.ts'

const answers: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 1,
    name: 'answers each write on its own, in order',
    run: onStore(async (journal) => {
      await created(journal, 'a', 'b')
      const fence = await fenceOf(journal, 'one')
      const stale = { shard: 0, epoch: fence.epoch - 1 }
      const batch = [
        extension('a', 2, fence),
        creation('a', { inputHash: 'other' }),
        extension('b', 2, stale),
        extension('nobody', 2, fence),
        creation('c'),
        extension('b', 3, fence),
        extension('b', 2, fence),
      ]
      same('verdicts', words(await journal.append(batch)), ['ok', 'exists', 'fenced', 'conflict', 'ok', 'conflict', 'ok'])
      same('lengths', [(await journal.read('a')).length, (await journal.read('b')).length, (await journal.read('c')).length], [3, 3, 1])
    }),
  },
  {
    promise: 1,
    name: 'applies several writes to one saga in the order of the batch',
    run: onStore(async (journal) => {
      const fence = await fenceOf(journal, 'one')
      const batch = [creation('a'), extension('a', 2, fence), extension('a', 2, fence), extension('a', 4, fence, { state: 'done' })]
      same('verdicts', words(await journal.append(batch)), ['ok', 'ok', 'conflict', 'ok'])
      same('head', await journal.head('a'), headOf('a', { state: 'done', seq: 5, updatedEpochMs: AT_MS + 5 }))
      const records = await journal.read('a')
      same(
        'seqs',
        records.map((r) => r.seq),
        [1, 2, 3, 4, 5],
      )
    }),
  },
  {
    promise: 1,
    name: 'answers an empty batch with no verdicts',
    run: onStore(async (journal) => same('verdicts', await journal.append([]), [])),
  },
  {
    promise: 2,
    name: 'shows an answered write to every reader, and to those that open the store later',
    run: onStore(async (first, second, store) => {
      await created(first, 'a')
      same('the other opening', await second.head('a'), headOf('a'))
      same('its records', await second.read('a'), [record(1)])
      await first.close()
      await second.close()
      const later = store.journal()
      await later.open()
      try {
        same('a later opening', await later.head('a'), headOf('a'))
        same('its records', await later.read('a'), [record(1)])
      } finally {
        await later.close()
      }
    }),
  },
  {
    promise: 2,
    name: 'keeps what was written apart from the objects it was written from',
    run: onStore(async (journal) => {
      const mutable = { ...record(1) }
      const write = { ...creation('a'), records: [mutable] }
      await journal.append([write])
      mutable.data = '"changed"'
      write.records.push(record(2))
      same('records', await journal.read('a'), [record(1)])
    }),
  },
  {
    promise: 3,
    name: 'leaves head and records as they were where it refuses',
    run: onStore(async (journal) => {
      await created(journal, 'a')
      const fence = await fenceOf(journal, 'one')
      const refused = [
        extension('a', 3, fence, { state: 'done' }),
        extension('a', 2, { ...fence, epoch: fence.epoch + 1 }, { state: 'stuck' }),
      ]
      same('verdicts', words(await journal.append(refused)), ['conflict', 'fenced'])
      same('head', await journal.head('a'), headOf('a'))
      same('records', await journal.read('a'), [record(1)])
    }),
  },
  {
    promise: 3,
    name: 'never shows a reader half a write',
    run: onStore(async (first, second) => {
      await created(first, 'a')
      const fence = await fenceOf(first, 'one')
      let ended = false
      const writing = (async () => {
        for (let seq = 2; seq < 40; seq += 2) await first.append([extension('a', seq, fence)])
      })().finally(() => {
        ended = true
      })
      while (!ended) {
        const [before, records] = [await second.head('a'), await second.read('a')]
        check(`${records.length} records are 1 and pairs`, records.length % 2 === 1)
        check('the head is no newer than the records read after it', (before?.seq ?? 0) <= records.length)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await writing
      same('all', (await second.read('a')).length, 39)
    }),
  },
]

const creations: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 4,
    name: 'answers the creation of an id that exists with the stored head',
    run: onStore(async (first, second) => {
      await created(first, 'a')
      const again = await second.append([creation('a', { saga: 'other', version: 2, inputHash: 'i2', shard: 3 })])
      same('verdict', again, [{ ok: false, reason: 'exists', head: headOf('a') }])
      const fence = await fenceOf(first, 'one')
      await first.append([extension('a', 2, fence, { state: 'undoing' })])
      const head = headOf('a', { state: 'undoing', seq: 3, updatedEpochMs: AT_MS + 3 })
      const odd: SagaWrite = { ...creation('a'), records: [], fence: { shard: 0, epoch: fence.epoch + 5 } }
      same('whatever its fence and records', await second.append([odd]), [{ ok: false, reason: 'exists', head }])
    }),
  },
  {
    promise: 4,
    name: 'lets one of two creations in one batch through',
    run: onStore(async (journal) => {
      const verdicts = await journal.append([creation('a'), creation('a', { inputHash: 'i2' })])
      same('verdicts', verdicts, [{ ok: true }, { ok: false, reason: 'exists', head: headOf('a') }])
    }),
  },
  {
    promise: 4,
    name: 'lets exactly one of many racing creations through',
    run: onStore(async (first, second) => {
      for (let round = 0; round < 10; round++) {
        const racers = Array.from({ length: 8 }, (_, n) =>
          (n % 2 === 0 ? first : second).append([creation(`r${round}`, { inputHash: `i${n}` })]),
        )
        const verdicts = (await Promise.all(racers)).flat()
        const winner = verdicts.findIndex((verdict) => verdict.ok)
        same('winners', words(verdicts).sort(), ['exists', 'exists', 'exists', 'exists', 'exists', 'exists', 'exists', 'ok'])
        same('the winner is stored', (await first.head(`r${round}`))?.inputHash, `i${winner}`)
        same('once', (await first.read(`r${round}`)).length, 1)
      }
    }),
  },
  {
    promise: 5,
    name: 'answers conflict where records do not continue the stored ones',
    run: onStore(async (journal) => {
      await created(journal, 'a')
      const fence = await fenceOf(journal, 'one')
      const write = (id: string, ...seqs: number[]): SagaWrite => ({ id, records: seqs.map((seq) => record(seq)), state: 'running', fence })
      const { create } = creation('b')
      const batch = [write('a', 1), write('a', 3), write('a', 2, 4), write('a', 2, 2), write('a'), write('nobody', 1), write('nobody', 2)]
      same(
        'verdicts',
        words(await journal.append(batch)),
        batch.map(() => 'conflict'),
      )
      const born = [
        { ...write('b', 2), ...(create && { create }) },
        { ...write('b', 1, 3), ...(create && { create }) },
      ]
      same('creations', words(await journal.append(born)), ['conflict', 'conflict'])
      same('records', await journal.read('a'), [record(1)])
      same('nobody', [await journal.head('nobody'), await journal.head('b')], [undefined, undefined])
    }),
  },
]

const fences: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 6,
    name: 'answers fenced to an epoch, a shard or an owner that is not the one',
    run: onStore(async (journal) => {
      await created(journal, 'a')
      same('never claimed', words(await journal.append([extension('a', 2, { shard: 0, epoch: 0 })])), ['fenced'])
      const { epoch } = await fenceOf(journal, 'one')
      const { fence: _, ...unfenced } = extension('a', 2, { shard: 0, epoch })
      const batch = [
        extension('a', 2, { shard: 0, epoch: epoch - 1 }),
        extension('a', 2, { shard: 0, epoch: epoch + 1 }),
        extension('a', 2, { shard: 1, epoch }),
        extension('a', 2, { shard: 99, epoch }),
        extension('a', 7, { shard: 0, epoch: epoch - 1 }),
        unfenced,
        { ...creation('b'), fence: { shard: 0, epoch: epoch + 1 } },
        { ...creation('b'), fence: { shard: 1, epoch } },
      ]
      same(
        'verdicts',
        words(await journal.append(batch)),
        batch.map(() => 'fenced'),
      )
      same('records', await journal.read('a'), [record(1)])
      same('b', await journal.head('b'), undefined)
    }),
  },
  {
    promise: 6,
    name: 'lets anyone create, with the right fence or with none',
    run: onStore(async (first, second) => {
      const fence = await fenceOf(first, 'one')
      same('verdicts', words(await second.append([creation('a'), { ...creation('b'), fence }])), ['ok', 'ok'])
    }),
  },
  {
    promise: 6,
    name: 'writes nothing for an owner whose shard was taken, however many writes race with the taking',
    run: onStore(async (first, second, store) => {
      await created(first, 'a')
      const old = await fenceOf(first, 'one')
      await store.passMs(LEASE_MS)
      const racing = [first.append([extension('a', 2, old)]), fenceOf(second, 'two'), first.append([extension('a', 4, old)])] as const
      const fresh = await racing[1]
      await Promise.all(racing)
      const { length } = await second.read('a')
      same('a late write', words(await first.append([extension('a', length + 1, old, { state: 'done' })])), ['fenced'])
      same('the same records', (await second.read('a')).length, length)
      same('the new owner', words(await second.append([extension('a', length + 1, fresh)])), ['ok'])
    }),
  },
]

export const writeCases: readonly ContractCase<MakeSagaJournalStore>[] = [...answers, ...creations, ...fences]
