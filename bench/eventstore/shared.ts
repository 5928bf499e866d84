// What the subjects of the suite share. The harness imports a suite anew for each subject, and a server has a hundred connections.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import { postgresStorage } from 'holdfast/postgres'
import { sqliteStorage } from 'holdfast/sqlite'
import pg from 'pg'

export const SCHEMA = 'holdfast_bench_events'
const SERVER = { host: '127.0.0.1', user: 'postgres', database: 'postgres' }
const URL = 'postgresql://postgres@127.0.0.1:5432'
const EMMETT = 'holdfast_bench_emmett'

/** The part of an event store that is measured; SQLite's may not be there yet. */
export interface Store {
  append(requests: readonly unknown[]): Promise<readonly { readonly result: string }[]>
  readAll(): AsyncIterable<{ readonly events: readonly unknown[] }>
  readStream(stream: string): AsyncIterable<readonly unknown[]>
}

interface Emmett {
  appendToStream(stream: string, events: readonly unknown[], options?: unknown): Promise<unknown>
  readStream(stream: string): Promise<{ readonly events: readonly unknown[] }>
}

interface Shared {
  pool?: Promise<pg.Pool>
  postgres?: Promise<Store>
  sqlite?: Promise<Store>
  emmett?: Promise<Emmett>
}

const key = Symbol.for('holdfast/bench/eventstore')
const holder = globalThis as { [key]?: Shared }
holder[key] ??= {}
const shared: Shared = holder[key]

/** The same data for everybody, some 250 bytes. */
export const eventOf = (i: number) => ({
  type: 'ProductItemAdded',
  data: {
    cartId: 'cart-0f5b1f6c-7d8a-4c1c-9a83-2f6d7d7a7d11',
    productItem: { productId: `sku-${i % 1000}`, quantity: 1 + (i % 5), unitPrice: 1999 },
    addedAt: '2026-01-01T12:00:00.000Z',
    addedBy: `user-${i % 500}`,
  },
})

/** One-row inserts, and one stored function that checks a stream's version: what an append costs at least, each in a transaction of its own. */
const TABLES = `
create table ${SCHEMA}.raw (
  position bigserial primary key, stream text collate "C" not null, version bigint not null, type text not null, data jsonb not null, unique (stream, version)
);
create table ${SCHEMA}.stream (id text collate "C" primary key, version bigint not null) with (fillfactor = 80);
create function ${SCHEMA}.append(p_stream text, p_expected bigint, p_type text, p_data jsonb[]) returns bigint language plpgsql as $$
begin
  if p_expected = 0 then
    insert into ${SCHEMA}.stream values (p_stream, cardinality(p_data)) on conflict do nothing;
  else
    update ${SCHEMA}.stream set version = version + cardinality(p_data) where id = p_stream and version = p_expected;
  end if;
  if not found then return null; end if;
  insert into ${SCHEMA}.raw (stream, version, type, data) select p_stream, p_expected + i, p_type, d from unnest(p_data) with ordinality u(d, i);
  return p_expected + cardinality(p_data);
end $$`

export const pool = (): Promise<pg.Pool> => {
  shared.pool ??= (async () => {
    const made = new pg.Pool({ ...SERVER, max: 50, idleTimeoutMillis: 500 })
    await made.query(`drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA}; ${TABLES}`)
    process.once('exit', () => {
      const drop = `const c=new(require('pg').Client)(${JSON.stringify(SERVER)});c.connect().then(()=>c.query('drop schema if exists ${SCHEMA} cascade')).then(()=>c.query('drop database if exists ${EMMETT} with (force)')).finally(()=>c.end())`
      spawnSync(process.execPath, ['-e', drop], { stdio: 'ignore' })
    })
    return made
  })()
  return shared.pool
}

export const postgres = (): Promise<Store> => {
  shared.postgres ??= (async () => {
    const storage = postgresStorage(await pool(), { schema: SCHEMA })
    await storage.migrate()
    await storage.open()
    return storage.eventStore as Store
  })()
  return shared.postgres
}

/** Whether this build's SQLite carries an event store. */
export const sqliteHasEvents = sqliteStorage(':memory:').ports.includes('eventStore')

export const sqlite = (): Promise<Store> => {
  shared.sqlite ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const storage = sqliteStorage(join(folder, 'events.db'))
    await storage.open()
    return storage.eventStore as unknown as Store
  })()
  return shared.sqlite
}

export const emmett = (): Promise<Emmett> => {
  shared.emmett ??= (async () => {
    const admin = await pool()
    await admin.query(`drop database if exists ${EMMETT} with (force)`)
    await admin.query(`create database ${EMMETT}`)
    return getPostgreSQLEventStore(`${URL}/${EMMETT}`) as Emmett
  })()
  return shared.emmett
}

const WARM_UP_MS = 100
const SLICE_MS = 300

/** So many calls at once for a while. Before it some that are not counted: the server compiles and plans anew on each connection that was made since. */
async function lanes(concurrent: number, call: () => Promise<unknown>, answered: (tookMs: number) => void): Promise<number> {
  const during = async (lastsMs: number, told: (tookMs: number) => void): Promise<number> => {
    const startedMs = performance.now()
    const lane = async (): Promise<void> => {
      for (let beganMs = startedMs; beganMs - startedMs < lastsMs; beganMs = performance.now()) {
        await call()
        told(performance.now() - beganMs)
      }
    }
    await Promise.all(Array.from({ length: concurrent }, lane))
    return performance.now() - startedMs
  }
  await during(WARM_UP_MS, () => {})
  return during(SLICE_MS, answered)
}

/** Calls per second times `each`, with so many at once. */
export const rate =
  (concurrent: number, call: () => Promise<unknown>, each = 1) =>
  async (): Promise<number> => {
    let calls = 0
    const tookMs = await lanes(concurrent, call, () => {
      calls += 1
    })
    return (calls * each * 1_000) / tookMs
  }

/** The time that a hundredth of the calls exceed, in milliseconds, with so many at once. */
export const late =
  (concurrent: number, call: () => Promise<unknown>, _each = 1) =>
  async (): Promise<number> => {
    const times: number[] = []
    await lanes(concurrent, call, (tookMs) => times.push(tookMs))
    times.sort((a, b) => a - b)
    return times[Math.floor(times.length * 0.99)] ?? Number.NaN
  }
