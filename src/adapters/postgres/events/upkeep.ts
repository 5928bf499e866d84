import type { Clock } from '../../../core/clock.ts'
import type { PgClient, PgStatement } from '../client/client.ts'

const EVERY_MS = 60_000
const ROWS = 1_000

export interface UpkeepOptions {
  readonly client: PgClient
  readonly clock: Clock
  readonly statement: PgStatement
  readonly keysKeptDays: number
}

/** Forgets old keys and batches, beside the writes and no more often than once a minute: without a timer of its own. */
export class Upkeep {
  readonly #options: UpkeepOptions
  #lastMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  perhaps(): void {
    const nowMs = this.#options.clock.nowMs()
    if (this.#running !== undefined || nowMs - this.#lastMs < EVERY_MS) return
    this.#lastMs = nowMs
    this.#running = this.#purge().finally(() => {
      this.#running = undefined
    })
  }

  async ended(): Promise<void> {
    await this.#running
  }

  async #purge(): Promise<void> {
    const { client, statement, keysKeptDays } = this.#options
    const values = [String(keysKeptDays), String(ROWS)]
    try {
      const rows = await client.transaction((connection) => connection.query(statement, values), { call: 'purge', writes: true })
      // There is more: go on at the next write.
      if (Number(rows[0]?.[0]) >= ROWS) this.#lastMs = Number.NEGATIVE_INFINITY
    } catch {
      // Next time: nothing depends on it.
    }
  }
}
