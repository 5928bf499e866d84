// needs: postgres
// A pool of pg under a circuit breaker and a bulkhead: too much load, an error of the program, a terminated backend, an outage.
import { setImmediate as turn } from 'node:timers/promises'
import { bulkhead, circuitBreaker, consecutive, policies, postgresFailures, retry } from 'holdfast'
import { guardPool } from 'holdfast/pg'
import { Pool } from 'pg'
import { answers, lineTo } from './line.ts'

const server = { host: '127.0.0.1', port: 5432, user: 'postgres', database: 'postgres' }
if (!(await answers(server.host, server.port))) {
  console.log(`PostgreSQL does not answer on ${server.host}:${server.port}: this example is skipped`)
  process.exit(0)
}
const line = await lineTo(server.host, server.port)
const pool = new Pool({ ...server, port: line.port, max: 2 })
pool.on('error', () => {}) // an idle connection was lost: the pool makes another when it needs one

const breaker = circuitBreaker({ name: 'postgres', trips: consecutive(3), openMs: 1_000, classify: postgresFailures })
const door = bulkhead({ name: 'postgres', concurrent: 2, queued: 4 }) // as many as the pool has, and a few who wait
const db = guardPool(pool, policies(breaker, door))

/** How each call ended: answered, or the code of a refusal, of PostgreSQL or of the operating system. */
async function endOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (error) => String((error as { code?: unknown }).code ?? error),
  )
}
function counted(ends: readonly string[]): string {
  return [...new Set(ends)].map((end) => `${ends.filter((one) => one === end).length} ${end}`).join(', ')
}
async function atOnce(count: number, query: () => Promise<unknown>): Promise<string> {
  return counted(await Promise.all(Array.from({ length: count }, () => endOf(query()))))
}
async function oneByOne(count: number, query: () => Promise<unknown>): Promise<string> {
  const ends: string[] = []
  while (ends.length < count) ends.push(await endOf(query()))
  return counted(ends)
}

const table = `holdfast_example_${process.pid}`
try {
  console.log('Too much load')
  console.log(`  20 queries at once: ${await atOnce(20, () => db.query('select pg_sleep(0.02)'))}`)
  console.log(`  connections made: ${pool.totalCount}`)

  console.log("The program's own error")
  await db.query(`create table ${table} (id int primary key)`)
  console.log(`  the same key, 10 times: ${await oneByOne(10, () => db.query(`insert into ${table} values (1)`))}`)
  console.log(`  the breaker is ${breaker.state}, because the database works`)

  console.log('A transaction on one client')
  const client = await db.connect()
  client.on('error', () => {})
  await client.query('begin')
  await client.query(`insert into ${table} values (2)`)
  await client.query('commit')
  console.log(`  slots taken before release: ${door.running}`)
  client.release()
  await turn()
  console.log(`  and after: ${door.running}`)

  console.log('A terminated backend')
  console.log(`  a query that ends its own: ${await oneByOne(1, () => db.query('select pg_terminate_backend(pg_backend_pid())'))}`)
  console.log(`  the next: ${await oneByOne(1, () => db.query('select 1'))}; the breaker is ${breaker.state}`)

  console.log('An outage')
  await line.cut()
  while (pool.totalCount > 0) await turn() // until the pool has heard of it
  console.log(`  3 queries: ${await oneByOne(3, () => db.query('select 1'))}; the breaker is ${breaker.state}`)
  console.log(`  50 at once: ${await atOnce(50, () => db.query('select 1'))}`)
  await line.mend()
  // The refusal says when to come back; a caller who has the time waits until then.
  const patient = retry({ attempts: 2 }).run(() => db.query('select 1'), { timeoutMs: 10_000 })
  console.log(`  the line is mended, and a caller has 10 s: ${await endOf(patient)}; the breaker is ${breaker.state}`)
} finally {
  await pool.end()
  await line.cut()
  const own = new Pool(server)
  await own.query(`drop table if exists ${table}`)
  await own.end()
}
