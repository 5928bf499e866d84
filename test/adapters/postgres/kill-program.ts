// A service that runs sagas on PostgreSQL until it is killed, or all of them have ended: node … <url> <schema> <ledger> <sagas> <effects>
// It kills itself, by SIGKILL, in the middle of its so many-th effect.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { z } from 'zod'
import { postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { holdfast } from '../../../src/app/holdfast.ts'
import { declined } from '../../../src/core/errors.ts'
import { saga } from '../../../src/saga/index.ts'

const [url = '', schema = '', ledger = '', count = '0', effectsMax = 'Infinity'] = process.argv.slice(2)

/** The participants' own books, which no crash of the service touches: a line for each effect, one effect per key. */
const booked = new Set(existsSync(ledger) ? readFileSync(ledger, 'utf8').trimEnd().split('\n') : [])
let effects = 0
async function book(line: string): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
  if (booked.has(line)) return
  booked.add(line)
  appendFileSync(ledger, `${line}\n`)
  if (++effects === Number(effectsMax)) process.kill(process.pid, 'SIGKILL')
}

const flow = saga('trip', { version: 1, input: z.number() })
  .step('flight', {
    run: ({ input }, ctx) => book(`do ${input} flight ${ctx.idempotencyKey}`),
    undo: ({ input }, ctx) => book(`undo ${input} flight ${ctx.undoes.idempotencyKey}`),
  })
  .step('hotel', {
    run: ({ input }, ctx) => book(`do ${input} hotel ${ctx.idempotencyKey}`),
    undo: ({ input }, ctx) => book(`undo ${input} hotel ${ctx.undoes.idempotencyKey}`),
  })
  .pivot('charge', {
    run: async ({ input }, ctx) => {
      if (input % 5 === 0) throw declined('no money')
      await book(`do ${input} charge ${ctx.idempotencyKey}`)
    },
  })
  .step('mail', { run: ({ input }, ctx) => book(`do ${input} mail ${ctx.idempotencyKey}`) })
  .returns(({ input }) => input)

const pool = new pg.Pool({ connectionString: url, max: 4 })
const storage = postgresStorage(pool, { schema })
await storage.migrate()
const hf = holdfast({ service: 'trips', storage, sagas: [flow] })
await hf.start()
const handles = await Promise.all(Array.from({ length: Number(count) }, (_, i) => hf.sagas.start(flow, i, { id: `t${i}` })))
await Promise.allSettled(handles.map((handle) => handle.result()))
const heads = await hf.sagas.list({ limit: 10_000 })
const { ready } = await hf.health()
await hf.stop({ drainMs: 1_000 })
await pool.end()
process.stdout.write(`${JSON.stringify({ ready, states: Object.fromEntries(heads.map(({ id, state }) => [id, state])) })}\n`)
