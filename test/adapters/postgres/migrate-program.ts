// Migrates and opens, as one of several processes that start at once: node … <url> <schema> <driver>
import pg from 'pg'
import postgres from 'postgres'
import { postgresStorage } from '../../../src/adapters/postgres/index.ts'

const [url = '', schema = '', driver = ''] = process.argv.slice(2)
const pool = driver === 'pg' ? new pg.Pool({ connectionString: url, max: 1 }) : postgres(url, { max: 1 })
const storage = postgresStorage(pool, { schema })
await storage.migrate()
await storage.open()
await storage.close()
await pool.end()
