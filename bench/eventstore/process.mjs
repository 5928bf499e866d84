// One process with one connection that appends, or inserts, one event at a time for a while: forked by processes.ts.
import { randomUUID } from 'node:crypto'
import { postgresStorage } from 'holdfast/postgres'
import pg from 'pg'

const [schema, what, json] = process.argv.slice(2)
const event = { type: 'ProductItemAdded', data: JSON.parse(json) }
const pool = new pg.Pool({ host: '127.0.0.1', user: 'postgres', database: 'postgres', max: 1, idleTimeoutMillis: 0 })
const storage = postgresStorage(pool, { schema })
if (what === 'ours') await storage.open()
const text = `insert into ${schema}.raw (stream, version, type, data) values ($1, 1, $2, $3)`
const calls = {
  ours: () => storage.eventStore.append([{ writes: [{ stream: randomUUID(), expect: 'none', events: [event] }] }]),
  raw: () => pool.query({ name: 'insert', text, values: [randomUUID(), event.type, json] }),
}
for (let i = 0; i < 20; i++) await calls[what]()
process.send('ready')
process.once('message', async (sliceMs) => {
  let count = 0
  for (const endMs = performance.now() + sliceMs; performance.now() < endMs; count++) await calls[what]()
  process.send(count)
  process.disconnect()
  await pool.end()
})
