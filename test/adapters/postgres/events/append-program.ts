// Appends to shared streams until it is killed or told to stop, and says what was acknowledged: node … <url> <schema> <driver> <name>
import pg from 'pg'
import postgres from 'postgres'
import { postgresStorage } from '../../../../src/adapters/postgres/index.ts'

const [url = '', schema = '', driver = '', name = ''] = process.argv.slice(2)
const pool = driver === 'pg' ? new pg.Pool({ connectionString: url, max: 4 }) : postgres(url, { max: 4, backoff: () => 0.01 })
if (pool instanceof pg.Pool) pool.on('error', () => {})
const { eventStore, open, close } = postgresStorage(pool, { schema })
await open()
let isOver = false
process.stdin.on('data', () => {
  isOver = true
})
const lane = async (number: number): Promise<void> => {
  for (let i = 0; !isOver; i++) {
    const key = `${name} ${number} ${i}`
    const writes = [{ stream: `s${(number + i) % 7}`, expect: 'any' as const, events: [{ type: 'appended', data: key }] }]
    // The half with keys may be asked for again after an unknown answer.
    const [verdict] = await eventStore.append([i % 2 === 0 ? { writes, idempotencyKey: key } : { writes }])
    if (verdict?.result === 'ok') process.stdout.write(`${key}@${verdict.position}\n`)
  }
}
await Promise.all(Array.from({ length: 12 }, (_, number) => lane(number)))
await close()
await (pool instanceof pg.Pool ? pool.end() : pool.end({ timeout: 1 }))
process.stdin.destroy()
