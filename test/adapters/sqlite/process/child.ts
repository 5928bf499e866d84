// A process of its own, bundled when the tests run. What it is to do comes as JSON in argv; each answer is a line of JSON on stdout.
import { sqliteStorage } from '../../../../src/adapters/sqlite/index.ts'
import { HoldfastError } from '../../../../src/core/errors.ts'
import type { SagaFence, SagaJournal, SagaWrite } from '../../../../src/ports/saga-journal.ts'
import { creation, extension, words } from '../../../../src/testing/contracts/journal-store.ts'

export type Driver = 'libsql' | 'better-sqlite3' | 'node:sqlite'

export type Order = { readonly path: string; readonly driver?: Driver } & (
  | { readonly act: 'open' }
  | { readonly act: 'hold'; readonly owner: string }
  | { readonly act: 'write'; readonly owner: string; readonly batches: number }
  | { readonly act: 'race'; readonly owner: string; readonly ids: number }
)

export type Answer =
  | { readonly opened: true }
  | { readonly code: string; readonly effect: string; readonly message: string }
  | { readonly held: number }
  | { readonly acked: number }
  | { readonly won: readonly string[]; readonly extended: readonly string[] }

const say = (answer: Answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)

async function fences(journal: SagaJournal, owner: string): Promise<readonly SagaFence[]> {
  return (await journal.claim(owner, { shards: 4, leaseMs: 600_000 })).map((claim) => claim.fence)
}

/** Batch n: five new sagas of three records each, in two writes. */
const batch = (n: number, fence: SagaFence): SagaWrite[] =>
  Array.from({ length: 5 }, (_, i) => `${n}/${i}`).flatMap((id) => [creation(id), extension(id, 2, fence)])

async function write(journal: SagaJournal, owner: string, batches: number): Promise<void> {
  const [fence] = await fences(journal, owner)
  if (fence === undefined) throw new Error('no shard')
  for (let n = 0; n < batches; n++) {
    const verdicts = await journal.append(batch(n, fence))
    if (verdicts.every((verdict) => verdict.ok)) say({ acked: n })
  }
}

/** Creates ids that others create too, and claims what they hold; a lease that somebody else has is no error. */
async function race(journal: SagaJournal, owner: string, ids: number): Promise<void> {
  const won: string[] = []
  const extended: string[] = []
  for (let n = 0; n < ids; n++) {
    const [fence] = await fences(journal, owner)
    const id = `r${n}`
    const verdicts = await journal.append([creation(id, { inputHash: owner }), ...(fence === undefined ? [] : [extension(id, 2, fence)])])
    const [created, more] = words(verdicts)
    if (created === 'ok') won.push(id)
    if (more === 'ok') extended.push(id)
    if (n % 10 === 0) await journal.release(owner)
  }
  say({ won, extended })
}

async function obey(order: Order): Promise<void> {
  const storage = sqliteStorage(order.path, order.driver === undefined ? {} : { driver: order.driver })
  await storage.open()
  if (order.act === 'open') say({ opened: true })
  if (order.act === 'write') await write(storage.sagaJournal, order.owner, order.batches)
  if (order.act === 'race') await race(storage.sagaJournal, order.owner, order.ids)
  if (order.act === 'hold') {
    say({ held: (await fences(storage.sagaJournal, order.owner)).length })
    // Until it is killed.
    setInterval(() => {}, 1_000)
    return
  }
  await storage.close()
}

obey(JSON.parse(process.argv[2] ?? '') as Order).catch((error: unknown) => {
  const told = error instanceof HoldfastError ? error : { code: 'OTHER', effect: 'unknown', message: String(error) }
  say({ code: told.code, effect: told.effect, message: told.message })
})
