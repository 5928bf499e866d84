import type { Timer } from '../../../core/clock.ts'
import type { PgSession } from '../session.ts'
import { arrayText, statement } from '../statement.ts'
import { type Ears, Topics } from './ears.ts'
import { hashOf } from './hash.ts'
import type { Listening } from './listening.ts'

/** Looks at the counters of the topics that somebody waits for, and at nothing while nobody does. */
export class Polling implements Ears {
  readonly delivery = 'polled'
  readonly reason: string
  readonly #session: PgSession
  readonly #pollMs: number
  readonly #topics = new Topics()
  readonly #look
  /** The counter of each listener's topic, as it was last seen for it. */
  readonly #seen = new Map<Listening, string>()
  #timer: Timer | undefined
  #looking = false
  #again = false

  constructor(session: PgSession, pollMs: number) {
    this.#session = session
    this.#pollMs = pollMs
    this.reason = `no connection to LISTEN on was given (option listen): looking every ${pollMs} ms while somebody waits`
    this.#look = statement(`select topic, number::text from ${session.names.of('hint')} where topic = any ($1::text::text[])`)
  }

  async open(): Promise<void> {}

  async add(listener: Listening): Promise<void> {
    const hash = hashOf(listener.topic)
    const [row] = await this.#ask([hash])
    this.#seen.set(listener, row?.[1] ?? '')
    this.#topics.add(hash, listener)
  }

  remove(listener: Listening): void {
    this.#seen.delete(listener)
    this.#topics.remove(hashOf(listener.topic), listener)
  }

  waits(): void {
    // At once: what came since the last look has not been seen.
    this.#timer?.clear()
    void this.#round()
  }

  rests(): void {
    if (this.#topics.waited.length === 0) this.#timer?.clear()
  }

  async close(): Promise<void> {
    this.#timer?.clear()
  }

  async #round(): Promise<void> {
    if (this.#looking) {
      this.#again = true
      return
    }
    this.#looking = true
    try {
      do {
        this.#again = false
        const waited = this.#topics.waited
        if (waited.length > 0) this.#tell(new Map((await this.#ask(waited)).map(([topic, number]) => [topic, number])), waited)
      } while (this.#again)
    } catch {
      // A hint may be lost; the next look finds its counter.
    }
    this.#looking = false
    this.#timer?.clear()
    if (this.#topics.waited.length > 0)
      this.#timer = this.#session.clock.setTimer(() => void this.#round(), this.#pollMs, { background: true })
  }

  #tell(numbers: ReadonlyMap<string | null | undefined, string | null | undefined>, asked: readonly string[]): void {
    for (const [listener, seen] of [...this.#seen]) {
      const hash = hashOf(listener.topic)
      const number = numbers.get(hash) ?? ''
      if (!asked.includes(hash) || number === seen) continue
      this.#seen.set(listener, number)
      listener.hint()
    }
  }

  #ask(hashes: readonly string[]) {
    return this.#session.client.query(this.#look, [arrayText(hashes)], { call: 'listen', writes: false })
  }
}
