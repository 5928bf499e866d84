// A service that runs sagas on SQLite until it is killed, or all of them have ended: node … <database> <ledger> <sagas> <effects>
// It kills itself, by SIGKILL, in the middle of its so many-th effect: a parent's signal would come at another moment on a busy machine.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { sqliteStorage } from '../../src/adapters/sqlite/index.ts'
import { declined } from '../../src/core/errors.ts'
import { saga, sagaEngine } from '../../src/saga/index.ts'

const [database = '', ledger = '', count = '0', effectsMax = 'Infinity'] = process.argv.slice(2)

/** The participants' own books, which no crash of the service touches: a line for each effect, one effect per key. */
const booked = new Set(existsSync(ledger) ? readFileSync(ledger, 'utf8').trimEnd().split('\n') : [])
let effects = 0
function book(line: string): void {
  if (booked.has(line)) return
  booked.add(line)
  appendFileSync(ledger, `${line}\n`)
  if (++effects === Number(effectsMax)) process.kill(process.pid, 'SIGKILL')
}
const soon = () => new Promise<void>((resolve) => setImmediate(resolve))

const effect = (step: string, id: number) => async (key: string) => {
  await soon()
  book(`do ${id} ${step} ${key}`)
  await soon()
}
const undoing = (step: string, id: number) => async (key: string) => {
  await soon()
  book(`undo ${id} ${step} ${key}`)
  await soon()
}

const flow = saga('trip', { version: 1, input: z.number() })
  .step('flight', {
    run: async ({ input }, ctx) => {
      await effect('flight', input)(ctx.idempotencyKey)
      if (input % 7 === 0 && ctx.attempt === 1) throw new Error('the reply was lost')
    },
    undo: ({ input }, ctx) => undoing('flight', input)(ctx.undoes.idempotencyKey),
    retry: { delayMs: 1 },
  })
  .step('hotel', {
    run: ({ input }, ctx) => effect('hotel', input)(ctx.idempotencyKey),
    undo: ({ input }, ctx) => undoing('hotel', input)(ctx.undoes.idempotencyKey),
  })
  .pivot('charge', {
    run: async ({ input }, ctx) => {
      if (input % 5 === 0) throw declined('no money')
      await effect('charge', input)(ctx.idempotencyKey)
    },
  })
  .step('mail', { run: ({ input }, ctx) => effect('mail', input)(ctx.idempotencyKey) })
  .returns(({ input }) => input)

const storage = sqliteStorage(database)
const engine = sagaEngine({ journal: storage.sagaJournal, definitions: [flow], scanMs: 50 })
await engine.start()
const handles = await Promise.all(Array.from({ length: Number(count) }, (_, i) => engine.sagas.start(flow, i, { id: `t${i}` })))
await Promise.allSettled(handles.map((handle) => handle.result()))
const heads = await engine.sagas.list({ limit: 10_000 })
await engine.stop({ drainMs: 1_000 })
await storage.close()
process.stdout.write(`${JSON.stringify(Object.fromEntries(heads.map(({ id, state }) => [id, state])))}\n`)
