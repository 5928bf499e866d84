import { openSync, writeSync } from 'node:fs'
import type { Line } from './order.ts'

/** Microseconds of the host's monotonic clock, the same for every process of the host. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

/** Writes facts so that a kill loses none of those that `flushed` has answered for: what is in the page cache outlives the process. */
export class Recorder {
  readonly #file: number
  #lines = ''
  #flushing: Promise<void> | undefined

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  line(line: Line): void {
    this.#lines += `${JSON.stringify(line)}\n`
  }

  /** Resolves once everything so far is written; many who ask in one turn share a write. */
  flushed(): Promise<void> {
    this.#flushing ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#flushing = undefined
        this.flush()
        resolve()
      })
    })
    return this.#flushing
  }

  flush(): void {
    if (this.#lines !== '') writeSync(this.#file, this.#lines)
    this.#lines = ''
  }
}
