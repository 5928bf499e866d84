// The processes of a run: started, stopped for a while, killed, and what they have recorded.
import { type ChildProcess, spawn } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Answer, Ask, Kept, Place } from './history.ts'
import type { Line, Order } from './order.ts'

/** Longer than any bound of what it may have under way: a call's own, its settling, and that of a connection. */
const END_MAX_MS = 45_000

export class TortureProcess {
  readonly order: Order
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  readonly ready: Promise<void>
  #stderr = ''
  #killed = false
  #at: number

  constructor(script: string, order: Order) {
    this.order = order
    this.#at = order.after
    const child = spawn(process.execPath, ['--no-warnings', script, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.on('data', (text) => {
      this.#stderr += String(text)
    })
    this.#ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? String(code))))
    this.ready = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'ready') resolve()
        else this.#at = Number(line)
      })
      void this.#ended.then((how) => reject(new Error(`${order.name} ended (${how}) before it was ready: ${this.#stderr.slice(0, 2_000)}`)))
    })
    this.ready.catch(() => {})
  }

  /** How far a reader has come. */
  get at(): number {
    return this.#at
  }

  async kill(): Promise<void> {
    this.#killed = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Lets it answer what is under way; rejects when it did not end well, or not at all. */
  async end(): Promise<void> {
    this.resume()
    this.#child.kill('SIGTERM')
    const bound = setTimeout(() => this.#child.kill('SIGABRT'), END_MAX_MS)
    const how = await this.#ended
    clearTimeout(bound)
    if (how !== '0' && !this.#killed) throw new Error(`${this.order.name} ended with ${how}: ${this.#stderr.slice(0, 2_000)}`)
  }
}

export interface Recorded {
  readonly asks: Ask[]
  readonly answers: Answer[]
  readonly kept: Kept[]
  readonly batches: { scannedTo: number; events: readonly Place[] }[]
}

/** What a process wrote down; a line that a kill cut off is left out. */
export async function recorded({ record }: Order): Promise<Recorded> {
  const all: Recorded = { asks: [], answers: [], kept: [], batches: [] }
  if (!existsSync(record)) return all
  for await (const text of createInterface({ input: createReadStream(record, 'utf8') })) {
    const line = parsed(text)
    if (line?.k === 'ask') all.asks.push(line.v)
    else if (line?.k === 'answer') all.answers.push(line.v)
    else if (line?.k === 'kept') all.kept.push(line.v)
    else if (line?.k === 'batch') all.batches.push(line.v)
  }
  return all
}

function parsed(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line
  } catch {
    return undefined
  }
}
