import type { SagaFence, SagaHead, SagaJournal, SagaRecord, SagaVerdict, SagaWrite } from '../../ports/saga-journal.ts'
import { same } from './kit.ts'

/** One fresh, empty store that a contract case works on. */
export interface SagaJournalStore {
  /** One more opening of the same store, not yet opened: another process, as far as the engine can tell. */
  readonly journal: () => SagaJournal
  /** Lets so much of the time pass by which leases end: moves the test clock, or waits where the engine's own clock counts. */
  readonly passMs: (ms: number) => Promise<void>
  /** Closes and removes everything. */
  readonly close: () => Promise<void>
}

export type MakeSagaJournalStore = () => Promise<SagaJournalStore>

/** How long the cases' leases last. An engine with a clock of its own waits for a few of them. */
export const LEASE_MS = 400
export const AT_MS = 1_767_225_600_000

type Create = NonNullable<SagaWrite['create']>

export const record = (seq: number, change: Partial<SagaRecord> = {}): SagaRecord => ({
  seq,
  kind: seq === 1 ? 'started' : 'intent',
  step: seq === 1 ? null : 'reserve',
  atEpochMs: AT_MS + seq,
  data: `{"seq":${seq}}`,
  ...change,
})

export const creation = (id: string, change: Partial<Create> = {}): SagaWrite => ({
  id,
  records: [record(1)],
  state: 'running',
  create: { saga: 'checkout', version: 1, definitionHash: 'd1', inputHash: 'i1', shard: 0, ...change },
})

export const extension = (id: string, fromSeq: number, fence: SagaFence, change: Partial<SagaWrite> = {}): SagaWrite => ({
  id,
  records: [record(fromSeq), record(fromSeq + 1)],
  state: 'running',
  fence,
  ...change,
})

export const headOf = (id: string, change: Partial<SagaHead> = {}): SagaHead => ({
  id,
  saga: 'checkout',
  version: 1,
  definitionHash: 'd1',
  inputHash: 'i1',
  shard: 0,
  state: 'running',
  seq: 1,
  startedEpochMs: AT_MS + 1,
  updatedEpochMs: AT_MS + 1,
  ...change,
})

/** The verdicts as words. */
export const words = (verdicts: readonly SagaVerdict[]): string[] => verdicts.map((verdict) => (verdict.ok ? 'ok' : verdict.reason))

/** Claims shards 0 to 3 and returns the fence of shard 0. */
export async function fenceOf(journal: SagaJournal, owner: string): Promise<SagaFence> {
  const claims = await journal.claim(owner, { shards: 4, leaseMs: LEASE_MS })
  const fence = claims.find((claim) => claim.fence.shard === 0)?.fence
  if (fence === undefined) throw new Error(`${owner} was not given shard 0`)
  return fence
}

export async function created(journal: SagaJournal, ...ids: readonly string[]): Promise<void> {
  const verdicts = await journal.append(ids.map((id) => creation(id)))
  same(
    'creating',
    words(verdicts),
    ids.map(() => 'ok'),
  )
}

/** Runs a case on a fresh store with two opened journals of it, and ends them. */
export const onStore =
  (body: (first: SagaJournal, second: SagaJournal, store: SagaJournalStore) => Promise<void>) =>
  async (make: MakeSagaJournalStore): Promise<void> => {
    const store = await make()
    const first = store.journal()
    const second = store.journal()
    try {
      await first.open()
      await second.open()
      await body(first, second, store)
    } finally {
      await first.close()
      await second.close()
      await store.close()
    }
  }
