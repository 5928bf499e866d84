// Four processes book transfers into one event log on SQLite; one of them is killed and begins again; a reader proves that nothing is lost or doubled.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { EventStore, StoredEvent } from 'holdfast'
import { sqliteStorage } from 'holdfast/sqlite'
import { prove } from './proofs.ts'
import { transfersOf } from './transfer.ts'

const CLERKS = 4
const TRANSFERS = 250
const ACCOUNTS = 12
const KILL_AFTER = 60

const folder = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'))
const path = join(folder, 'ledger.db')
const acknowledged = new Set<string>()

/** Runs a clerk to its end, or kills it once that many of its transfers are acknowledged. Resolves to whether it came to its end. */
function runClerk(clerk: number, killAfter = Number.POSITIVE_INFINITY): Promise<boolean> {
  const program = fileURLToPath(new URL('./clerk.ts', import.meta.url))
  const child = spawn(process.execPath, [program, path, String(clerk), String(TRANSFERS), String(ACCOUNTS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let count = 0
  createInterface({ input: child.stdout }).on('line', (id) => {
    acknowledged.add(id)
    count += 1
    if (count === killAfter) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('close', (code) => resolve(code === 0)))
}

async function follow(store: EventStore, into: StoredEvent[], signal: AbortSignal): Promise<void> {
  try {
    for await (const { events } of store.subscribe({ signal })) into.push(...events)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function wholeLog(store: EventStore): Promise<StoredEvent[]> {
  const log: StoredEvent[] = []
  for await (const { events } of store.readAll()) log.push(...events)
  return log
}

async function ledger(store: EventStore): Promise<boolean> {
  console.log(
    `${CLERKS} clerks book ${CLERKS * TRANSFERS} transfers between ${ACCOUNTS} accounts, each a debit and a credit in one append.`,
  )
  const followed: StoredEvent[] = []
  const over = new AbortController()
  const following = follow(store, followed, over.signal)
  const others = Array.from({ length: CLERKS - 1 }, (_, n) => runClerk(n + 1))
  const wasKilled = !(await runClerk(0, KILL_AFTER))
  console.log(
    wasKilled
      ? `Clerk 0 was killed after ${KILL_AFTER} acknowledged transfers, and begins again from its first.`
      : 'Clerk 0 was not killed.',
  )
  const ended = [await runClerk(0), ...(await Promise.all(others))]
  console.log(ended.every(Boolean) ? 'All clerks are done.' : 'A clerk failed.')

  const log = await wholeLog(store)
  while (followed.length < log.length) await new Promise((resolve) => setTimeout(resolve, 20))
  over.abort()
  await following
  const transfers = Array.from({ length: CLERKS }, (_, clerk) => transfersOf(clerk, TRANSFERS, ACCOUNTS)).flat()
  const proofs = prove({ transfers, acknowledged, followed, log })
  for (const { claim, violations } of proofs) {
    console.log(`${violations.length === 0 ? 'PROVED' : 'FAILED'}  ${claim}`)
    for (const violation of violations.slice(0, 5)) console.log(`        ${violation}`)
  }
  console.log(`${log.length} events, ${acknowledged.size} transfers acknowledged`)
  return wasKilled && ended.every(Boolean) && proofs.every(({ violations }) => violations.length === 0)
}

const storage = sqliteStorage(path)
try {
  await storage.open()
  process.exitCode = (await ledger(storage.eventStore)) ? 0 : 1
} finally {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
}
