import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { turn } from './soak-clock.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that are still in use after everything that can be collected has been. */
export async function heapInUse(): Promise<number> {
  // What a finaliser or a weak reference kept is gone only after another turn.
  for (let round = 0; round < 4; round++) {
    collect()
    await turn()
  }
  return process.memoryUsage().heapUsed
}
