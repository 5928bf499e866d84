import { type ChildProcess, fork } from 'node:child_process'
import { eventOf, pool, postgres, SCHEMA } from './shared.ts'

const PROCESSES = 50
const SLICE_MS = 2_000

const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)))
  })

/** Events per second of fifty processes that append one at a time, each on its one connection. */
export const processes = (what: 'ours' | 'raw') => async (): Promise<number> => {
  await postgres()
  // The server's connections do not suffice for both.
  const parent = await pool()
  while (parent.totalCount > 20) await new Promise((resolve) => setTimeout(resolve, 50))
  const args = [SCHEMA, what, JSON.stringify(eventOf(0).data)]
  const children = Array.from({ length: PROCESSES }, () => fork('bench/eventstore/process.mjs', args, { execArgv: [] }))
  await Promise.all(children.map(message))
  const counts = children.map(message)
  for (const child of children) child.send(SLICE_MS)
  const total = (await Promise.all(counts)).reduce((sum: number, count) => sum + Number(count), 0)
  return (total * 1_000) / SLICE_MS
}
