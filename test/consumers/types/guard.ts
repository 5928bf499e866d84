// The types say what the guarded call answers; compiled without `skipLibCheck`, so that the declarations themselves are checked.
import { bulkhead, circuitBreaker, fallback, type Policy, policies, retry, timeout } from 'holdfast'
import * as express from 'holdfast/express'
import { resilientFetch } from 'holdfast/fetch'
import * as memory from 'holdfast/memory'
import * as messaging from 'holdfast/messaging'
import * as resilience from 'holdfast/resilience'
import { saga } from 'holdfast/saga'
import * as sqlite from 'holdfast/sqlite'
import * as testing from 'holdfast/testing'
import Database from 'libsql'

const guard: Policy = policies(
  retry({ attempts: 3 }),
  circuitBreaker({ name: 'inventory' }),
  bulkhead({ concurrent: 20 }),
  timeout({ timeoutMs: 2_000 }),
)

export async function answer(): Promise<number> {
  const plain: number = await guard.run(async ({ signal }) => (signal.aborted ? 0 : 1))
  const widened: number | 'nothing' = await policies(fallback('nothing' as const), guard).run(async () => 1)
  // @ts-expect-error the fallback may have answered
  const wrong: number = await policies(fallback('nothing' as const), guard).run(async () => 1)
  return plain + wrong + (widened === 'nothing' ? 0 : widened)
}

export const guardedFetch: typeof fetch = resilientFetch(guard)
export const areas = [express, memory, messaging, resilience, saga, sqlite, testing]

// The handles of a driver are taken as its own types have them.
export const stored = [sqlite.sqliteStorage(new Database(':memory:')), sqlite.sqliteTransactions(new Database(':memory:'))]
