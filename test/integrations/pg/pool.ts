// A pool with the calls of pg's, and no engine: what it proves is proved of guardPool alone.
import { EventEmitter } from 'node:events'

export interface Client {
  readonly n: number
  release(error?: Error | boolean): void
}
type Connected = (error: unknown, client?: Client, done?: Client['release']) => void

export class Pool extends EventEmitter {
  readonly #idle: Client[]
  readonly #waiting: Connected[] = []
  readonly released: Array<Error | boolean | undefined> = []
  /** What the next statements answer, first in first out; then rows of one. */
  readonly answers: Array<() => Promise<unknown>> = []
  readonly asked: unknown[][] = []
  ended = false
  #connections = 0

  constructor(max: number) {
    super()
    this.#idle = Array.from({ length: max }, (_, n) => ({ n, release() {} }))
  }
  get idleCount(): number {
    return this.#idle.length
  }
  get waitingCount(): number {
    return this.#waiting.length
  }
  get connections(): number {
    return this.#connections
  }

  connect(): Promise<Client>
  connect(callback: Connected): void
  connect(callback?: Connected): Promise<Client> | undefined {
    if (callback === undefined)
      return new Promise((resolve, reject) => this.connect((error, client) => (error ? reject(error) : resolve(client as Client))))
    this.#connections += 1
    this.#waiting.push(callback)
    setImmediate(() => this.#serve())
    return undefined
  }
  async query<T>(...args: [text: string, values?: unknown[]]): Promise<{ rows: T[] }> {
    this.asked.push(args)
    return ((await this.answers.shift()?.()) ?? { rows: [1] }) as { rows: T[] }
  }
  async end(): Promise<void> {
    this.ended = true
  }
  /** As `connectionTimeoutMillis` does. */
  timeOut(): void {
    this.#waiting.shift()?.(new Error('timeout exceeded when trying to connect'))
  }

  #serve(): void {
    const client = this.#waiting.length > 0 ? this.#idle.pop() : undefined
    if (client === undefined) return
    let released = false
    client.release = (error) => {
      if (released) throw new Error('released twice')
      released = true
      this.released.push(error)
      this.#idle.push(client)
      this.#serve()
    }
    this.#waiting.shift()?.(undefined, client, client.release)
  }
}
