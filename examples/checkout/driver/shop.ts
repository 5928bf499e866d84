import { sqliteStorage } from 'holdfast/sqlite'
import type { OrderView } from '../order-service/read-model.ts'
import { type Child, startChild } from './children.ts'
import { sleep, until } from './waiting.ts'

type Journal = ReturnType<typeof sqliteStorage>['sagaJournal']
type SagaRecord = Awaited<ReturnType<Journal['read']>>[number]

type View = ReadonlyMap<string, OrderView>

const LOOK_EVERY_MS = 150

/** The order service as seen from outside: a process to kill, a web address, and the journal it leaves behind. */
export class Shop {
  readonly #env: Readonly<Record<string, string>>
  readonly #database: string
  #child: Child | undefined
  #isUp = false
  #view: View = new Map()
  #url = 'http://127.0.0.1:9'
  /** How often the circuit breaker in front of each service opened, over all lives of the process. */
  readonly opened: Record<string, number> = {}

  constructor(database: string, urls: Readonly<Record<string, string>>) {
    const addresses = Object.entries(urls).map(([service, url]) => [`${service.toUpperCase()}_URL`, url])
    this.#database = database
    this.#env = { DATABASE: database, ...Object.fromEntries(addresses) }
  }

  get url(): string {
    return this.#url
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async start(): Promise<void> {
    this.#child = await startChild('order-service/service', this.#env, ({ event, dependency }) => {
      if (event === 'breaker-opened') this.opened[String(dependency)] = (this.opened[String(dependency)] ?? 0) + 1
    })
    this.#url = this.#child.url
    await until(async () => (await fetch(`${this.#url}/readyz`)).ok)
    this.#view = await this.look()
    this.#isUp = true
    void this.#keepLooking(this.#child)
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Resolves with what the process ended with. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string> {
    this.#isUp = false
    this.#child?.kill(signal)
    return (await this.#child?.ended) ?? 'not started'
  }

  /** The read model as it was a moment ago. */
  get view(): View {
    return this.#view
  }

  /** The accepted orders that had not ended a moment ago. */
  get open(): readonly string[] {
    return [...this.#view].filter(([, { state }]) => state === 'accepted').map(([id]) => id)
  }

  /** The read model as it is now. */
  async look(): Promise<View> {
    const response = await fetch(`${this.#url}/orders`, { signal: AbortSignal.timeout(10_000) })
    return new Map(Object.entries((await response.json()) as Record<string, OrderView>))
  }

  async #keepLooking(child: Child): Promise<void> {
    for (; ; await sleep(LOOK_EVERY_MS, undefined, { ref: false })) {
      const view = await this.look().catch(() => undefined)
      if (!this.#isUp || this.#child !== child) return
      if (view !== undefined) this.#view = view
    }
  }

  /** What the journal says, read from the file while the service is down. */
  async journal(): Promise<ReadonlyMap<string, string>> {
    return this.#read(async (journal) => new Map((await journal.list({ limit: 10_000 })).map(({ id, state }) => [id, state])))
  }

  async records(id: string): Promise<readonly SagaRecord[]> {
    return this.#read((journal) => journal.read(id))
  }

  /** The sagas that have not ended, and the step that each of them is at. Read while the service is down. */
  async unfinished(): Promise<readonly { readonly id: string; readonly step: string }[]> {
    return this.#read(async (journal) => {
      const heads = await journal.list({ states: ['running', 'undoing', 'stuck'], limit: 10_000 })
      return Promise.all(heads.map(async ({ id }) => ({ id, step: (await journal.read(id)).at(-1)?.step ?? 'the start' })))
    })
  }

  async #read<T>(work: (journal: Journal) => Promise<T>): Promise<T> {
    const storage = sqliteStorage(this.#database)
    await storage.open()
    try {
      return await work(storage.sagaJournal)
    } finally {
      await storage.close()
    }
  }
}
