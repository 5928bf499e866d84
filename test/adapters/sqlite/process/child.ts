// A process of its own, bundled when the tests run. What it is to do comes as JSON in argv; each answer is a line of JSON on stdout.
import { sqliteStorage } from '../../../../src/adapters/sqlite/index.ts'
import { HoldfastError } from '../../../../src/core/errors.ts'
import type { EventStore } from '../../../../src/ports/event-store.ts'
import type { SagaFence, SagaJournal, SagaWrite } from '../../../../src/ports/saga-journal.ts'
import { creation, extension, words } from '../../../../src/testing/contracts/journal-store.ts'

export type Driver = 'libsql' | 'better-sqlite3' | 'node:sqlite'

export type Order = { readonly path: string; readonly driver?: Driver } & (
  | { readonly act: 'open' }
  | { readonly act: 'hold'; readonly owner: string }
  | { readonly act: 'write'; readonly owner: string; readonly batches: number }
  | { readonly act: 'race'; readonly owner: string; readonly ids: number }
  | { readonly act: 'append'; readonly owner: string; readonly lanes: number; readonly each: number }
  | { readonly act: 'follow'; readonly upTo: number }
)

export type Answer =
  | { readonly opened: true }
  | { readonly code: string; readonly effect: string; readonly message: string }
  | { readonly held: number }
  | { readonly acked: number }
  | { readonly won: readonly string[]; readonly extended: readonly string[] }
  | { readonly stream: string; readonly n: number; readonly position: number }
  | { readonly followed: number }
  | { readonly anomaly: string }

const say = (answer: Answer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)

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

/** One stream for each lane, one append after the other: event n has the version n + 1. Each answer is told. */
async function append(store: EventStore, { owner, lanes, each }: { owner: string; lanes: number; each: number }): Promise<void> {
  const lane = async (stream: string): Promise<void> => {
    for (let n = 0; n < each; n++) {
      const events = [{ type: 'counted', data: n, tags: [owner] }]
      const [verdict] = await store.append([{ writes: [{ stream, expect: n, events }], idempotencyKey: `${stream}/${n}` }], {
        timeoutMs: 60_000,
      })
      if (verdict?.result !== 'ok') throw new Error(`${stream}: ${n}: ${JSON.stringify(verdict)}`)
      say({ stream, n, position: Number(verdict.position) })
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, i) => lane(`${owner}/${i}`)))
}

/** Reads on until a position, and tells of the first event that is not where it has to be. */
async function follow(store: EventStore, upTo: number): Promise<void> {
  const versions = new Map<string, number>()
  let at = 0
  for await (const { events } of store.subscribe()) {
    for (const { stream, version, position } of events) {
      if (Number(position) !== at + 1) return say({ anomaly: `position ${position} after ${at}` })
      if (version !== (versions.get(stream) ?? 0) + 1) return say({ anomaly: `${stream}@${version} after ${versions.get(stream)}` })
      versions.set(stream, version)
      at += 1
      if (at % 50 === 0) say({ followed: at })
    }
    if (at >= upTo) return say({ followed: at })
  }
}

async function obey(order: Order): Promise<void> {
  const storage = sqliteStorage(order.path, order.driver === undefined ? {} : { driver: order.driver })
  await storage.open()
  if (order.act === 'open') say({ opened: true })
  if (order.act === 'write') await write(storage.sagaJournal, order.owner, order.batches)
  if (order.act === 'race') await race(storage.sagaJournal, order.owner, order.ids)
  if (order.act === 'append') await append(storage.eventStore, order)
  if (order.act === 'follow') {
    // The timer of a subscription lets a process end.
    const stay = setInterval(() => {}, 1_000)
    await follow(storage.eventStore, order.upTo)
    clearInterval(stay)
  }
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
