// Appends what the dice say, alone and inside transactions, and records each ask before it is made and each answer when it has come.
import type { AppendRequest, AppendVerdict, EventStore } from '../../src/ports/event-store.ts'
import { Dice } from './dice.ts'
import type { Answer, Ask, WrittenStream } from './history.ts'
import { HELD, type Order } from './order.ts'
import { nowUs, type Recorder } from './recorder.ts'
import type { Opened } from './target.ts'

const HELD_SHARE = 0.1

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Writer {
  readonly #order: Order
  readonly #opened: Opened
  readonly #recorder: Recorder
  readonly #dice: Dice
  /** What this process has last heard of each stream. */
  readonly #versions = new Map<string, number>()
  #count = 0
  #isOver = false

  constructor(order: Order, opened: Opened, recorder: Recorder) {
    this.#order = order
    this.#opened = opened
    this.#recorder = recorder
    this.#dice = new Dice(order.seed)
  }

  stop(): void {
    this.#isOver = true
  }

  /** Until it is stopped; then what is under way is answered first. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#order.actors }, (_, n) => this.#act(n === 0 ? HELD_SHARE : 0)))
  }

  /** `heldShare`: how often it asks for the stream that is held for long, which keeps it waiting. */
  async #act(heldShare: number): Promise<void> {
    while (!this.#isOver) {
      if (this.#dice.chance(0.05)) await pause(this.#dice.below(20))
      if (this.#dice.chance(this.#order.joinedShare)) await this.#join(heldShare)
      else await this.#append(heldShare)
    }
  }

  async #append(heldShare: number): Promise<void> {
    const ask = await this.#plan(false, heldShare)
    const request = this.#request(ask, this.#dice.chance(0.3))
    const again = request.idempotencyKey !== undefined && this.#dice.chance(0.1)
    let verdict = await this.#ask(ask, this.#opened.store, request)
    // Whoever does not know asks again with the same key; some who do know do so too.
    for (let round = 0; round < 3 && request.idempotencyKey !== undefined; round++) {
      if (verdict.result !== 'unknown' && !(again && round === 0)) break
      const repeated = { ...ask, askedUs: nowUs() }
      this.#recorder.line({ k: 'ask', v: repeated })
      verdict = await this.#ask(repeated, this.#opened.store, request)
    }
    if (verdict.result === 'none') await pause(5)
  }

  async #ask(ask: Ask, store: EventStore, request: AppendRequest): Promise<AppendVerdict> {
    await this.#recorder.flushed()
    const verdict = (
      await store.append([request], { timeoutMs: ask.writes.some(({ stream }) => stream === HELD) ? 500 : 10_000 }).catch(failed)
    )[0] as AppendVerdict
    this.#answer(ask, verdict)
    return verdict
  }

  async #join(heldShare: number): Promise<void> {
    const begun = await this.#opened.begin().catch(() => undefined)
    if (begun === undefined) return pause(10)
    const joined = this.#opened.store.join(begun.tx)
    const asks: [Ask, AppendVerdict][] = []
    try {
      for (let count = 1 + this.#dice.below(2); count > 0; count--) {
        const ask = await this.#plan(true, heldShare)
        await this.#recorder.flushed()
        const verdict = await joined.append(this.#request(ask, false), { timeoutMs: 2_000 })
        asks.push([ask, verdict])
        if (this.#dice.chance(0.3)) await pause(this.#dice.below(40))
        if (verdict.result === 'unknown') break
      }
    } catch (error) {
      // The transaction is broken: whatever it was asked for is rolled back.
      await begun.rollback().catch(() => {})
      for (const [ask] of asks) this.#record(ask, { result: 'undone' })
      if (!(error instanceof Error)) throw error
      return
    }
    await this.#end(begun, asks)
  }

  async #end(begun: Awaited<ReturnType<Opened['begin']>>, asks: readonly [Ask, AppendVerdict][]): Promise<void> {
    if (this.#dice.chance(0.2)) {
      await begun.rollback().catch(() => {})
      for (const [ask] of asks) this.#record(ask, { result: 'undone' })
      return
    }
    try {
      await begun.commit()
      for (const [ask, verdict] of asks) this.#answer(ask, verdict)
    } catch (error) {
      const result = (error as { rolledBack?: boolean }).rolledBack === true ? 'undone' : 'unknown'
      for (const [ask, verdict] of asks) this.#record(ask, { result: verdict.result === 'ok' ? result : 'undone' })
    }
  }

  /** One stream, or several, or one with a condition on its tag. */
  async #plan(joined: boolean, heldShare: number): Promise<Ask> {
    const request = `${this.#order.name}/${this.#count++}`
    const streams = new Set([this.#stream(heldShare)])
    if (this.#dice.chance(0.15)) for (let more = 1 + this.#dice.below(2); more > 0; more--) streams.add(this.#stream(heldShare))
    const writes = [...streams].map((stream, i): WrittenStream => {
      const events = Array.from({ length: 1 + this.#dice.below(3) }, (_, n) => `${request}/${i}/${n}`)
      return { stream, expect: this.#expectation(stream), events }
    })
    const tag = `tag ${this.#dice.below(this.#order.streams)}`
    const tags = this.#dice.chance(0.3) ? [tag] : []
    const condition = tags.length > 0 && this.#dice.chance(0.7) ? await this.#condition(tag) : undefined
    const ask: Ask = { request, writes, tags, ...(condition === undefined ? {} : { condition }), joined, askedUs: nowUs() }
    this.#recorder.line({ k: 'ask', v: ask })
    return ask
  }

  async #condition(tag: string): Promise<Ask['condition']> {
    const head = await this.#opened.store.head().catch(() => undefined)
    if (head === undefined) return undefined
    // Sometimes a stale reader, who has to lose.
    return { tags: [tag], after: Math.max(0, Number(head.position) - (this.#dice.chance(0.2) ? 200 : 0)) }
  }

  /** Mostly new or hot ones. */
  #stream(heldShare: number): string {
    if (this.#dice.chance(heldShare)) return HELD
    return this.#dice.chance(0.1) ? `stream ${this.#order.name} ${this.#count}` : `stream ${this.#dice.below(this.#order.streams)}`
  }

  #expectation(stream: string): WrittenStream['expect'] {
    const roll = this.#dice.next()
    if (roll < 0.3) return 'any'
    if (roll < 0.4) return 'exists'
    return this.#versions.get(stream) ?? 'none'
  }

  #request({ request, writes, tags, condition }: Ask, keyed: boolean): AppendRequest {
    return {
      writes: writes.map(({ stream, expect, events }) => ({
        stream,
        expect,
        events: events.map((id) => ({ id, type: 'happened', data: { id, n: this.#count }, tags })),
      })),
      ...(condition === undefined ? {} : { condition: { queries: [{ tags: condition.tags }], after: BigInt(condition.after) } }),
      ...(keyed ? { idempotencyKey: request } : {}),
    }
  }

  #answer(ask: Ask, verdict: AppendVerdict): void {
    const { result } = verdict
    if (result === 'ok' || result === 'duplicate') {
      const { versions, position } = verdict.result === 'ok' ? verdict : verdict.original
      ask.writes.forEach(({ stream }, i) => void this.#versions.set(stream, versions[i] ?? 0))
      this.#record(ask, { result, versions, ...(position === undefined ? {} : { position: Number(position) }) })
    } else if (result === 'conflict') {
      const { reason, stream, actual } = verdict
      if (stream !== undefined) this.#versions.set(stream, actual ?? 0)
      this.#record(ask, {
        result,
        conflict: { reason, ...(stream === undefined ? {} : { stream }), ...(actual === undefined ? {} : { actual }) },
      })
    } else this.#record(ask, { result })
  }

  #record({ request, askedUs }: Ask, answer: Omit<Answer, 'request' | 'askedUs' | 'answeredUs'>): void {
    this.#recorder.line({ k: 'answer', v: { request, askedUs, answeredUs: nowUs(), ...answer } })
  }
}

/** What rejects as a whole (a store that is closing) is as unknown as its error says. */
function failed(error: unknown): readonly AppendVerdict[] {
  const effect = (error as { effect?: 'none' | 'unknown' }).effect ?? 'unknown'
  return [{ result: effect, error: error as never }]
}
