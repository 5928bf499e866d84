// Who is served next, under any order of calls, ends, aborts, time and resizes: each order told once more in the simplest way.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BulkheadOptions, bulkhead, createContext } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, settled } from './support.ts'

const WEIGHTS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 0.5 }
const QUEUE_TIMEOUT_MS = 50

interface Asked {
  readonly id: number
  readonly key: string
  readonly rank: number
  readonly sinceMs: number
}

interface Line {
  readonly waiting: Asked[]
  next(): Asked | undefined
}

class Sorted implements Line {
  waiting: Asked[] = []
  constructor(readonly ranked: boolean) {}
  next(): Asked | undefined {
    const best = this.ranked ? Math.max(...this.waiting.map(({ rank }) => rank)) : 0
    const next = this.waiting.find(({ rank }) => !this.ranked || rank === best)
    this.waiting = this.waiting.filter((one) => one !== next)
    return next
  }
}

/** Start-time fair queueing by the book: every key's tag is kept for as long as anybody waits. */
class Fair implements Line {
  waiting: Asked[] = []
  now = 0
  tags = new Map<string, number>()
  turns: string[] = []
  next(): Asked | undefined {
    const keys = this.turns.filter((key) => this.waiting.some((one) => one.key === key))
    const tagOf = (key: string): number => this.tags.get(key) ?? 0
    const least = Math.min(...keys.map(tagOf))
    const key = keys.find((one) => tagOf(one) === least)
    const next = this.waiting.find((one) => one.key === key)
    if (key === undefined || next === undefined) return undefined
    this.waiting = this.waiting.filter((one) => one !== next)
    this.now = least
    this.tags.set(key, least + 1 / (WEIGHTS[key] as number))
    // Among equals, the one whose turn it was longest ago.
    this.turns = [...this.turns.filter((one) => one !== key), key]
    this.settle()
    return next
  }
  joined(key: string): void {
    if (this.waiting.filter((one) => one.key === key).length > 1) return
    this.tags.set(key, Math.max(this.now, this.tags.get(key) ?? 0))
    this.turns = [...this.turns.filter((one) => one !== key), key]
  }
  settle(): void {
    if (this.waiting.length > 0) return
    this.now = 0
    this.tags.clear()
  }
}

type Step =
  | { readonly do: 'call'; readonly key: string; readonly rank: number }
  | { readonly do: 'end'; readonly which: number }
  | { readonly do: 'abort'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'resize'; readonly concurrent: number; readonly queued: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('call' as const), key: fc.constantFrom('a', 'b', 'c'), rank: fc.nat(3) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 50) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('resize' as const), concurrent: fc.integer({ min: 1, max: 4 }), queued: fc.nat(8) }),
  },
)

const ORDERS: Readonly<Record<string, NonNullable<BulkheadOptions['order']>>> = {
  fifo: 'fifo',
  priority: { priority: (ctx) => Number(ctx.keys.rank) },
  fair: { fairBy: 'tenant', weight: (key) => WEIGHTS[key] as number },
}

class Run {
  readonly clock = testClock()
  readonly line: Line
  readonly slots
  concurrent = 1
  queued = 6
  readonly running: number[] = []
  readonly expected: number[] = []
  readonly began: number[] = []
  readonly works = new Map<number, { readonly work: Deferred; readonly abort: () => void; readonly answer: Promise<unknown> }>()
  ids = 0

  constructor(order: string) {
    this.line = order === 'fair' ? new Fair() : new Sorted(order === 'priority')
    const { clock, concurrent, queued } = this
    this.slots = bulkhead({ concurrent, queued, clock, queueTimeoutMs: QUEUE_TIMEOUT_MS, order: ORDERS[order] as 'fifo' })
  }

  /** In the model: free slots go to those whose turn it is. */
  serve(): void {
    while (this.running.length < this.concurrent) {
      const next = this.line.next()
      if (next === undefined) return
      this.running.push(next.id)
      this.expected.push(next.id)
    }
  }

  gone(those: readonly Asked[]): void {
    const { line } = this
    for (const one of those) line.waiting.splice(line.waiting.indexOf(one), 1)
    if (line instanceof Fair) line.settle()
  }

  async do(one: Step): Promise<void> {
    if (one.do === 'call') await this.#call(one.key, one.rank)
    else if (one.do === 'end') {
      const [id] = this.running.splice(one.which % Math.max(1, this.running.length), 1)
      if (id !== undefined) this.works.get(id)?.work.resolve(1)
      this.serve()
    } else if (one.do === 'abort') {
      const asked = this.line.waiting[one.which]
      if (asked === undefined) return
      this.gone([asked])
      this.works.get(asked.id)?.abort()
    } else if (one.do === 'wait') {
      await this.clock.advance(one.ms)
      this.gone(this.line.waiting.filter(({ sinceMs }) => this.clock.nowMs() - sinceMs >= QUEUE_TIMEOUT_MS))
    } else {
      this.concurrent = one.concurrent
      this.queued = one.queued
      this.slots.reconfigure({ concurrent: one.concurrent, queued: one.queued })
      this.serve()
    }
    await settled()
    expect(this.began).toEqual(this.expected)
    expect([this.slots.running, this.slots.waiting, this.slots.abandoned]).toEqual([this.running.length, this.line.waiting.length, 0])
  }

  async #call(key: string, rank: number): Promise<void> {
    const id = this.ids++
    const { signal, abort } = countedSignal()
    const work = deferred()
    const full = this.running.length >= this.concurrent
    const context = createContext({ signal, tenant: key, keys: { rank: String(rank) } })
    const answer = this.slots.tryRun(
      () => {
        this.began.push(id)
        return work.promise
      },
      { context },
    )
    this.works.set(id, { work, abort, answer })
    if (full && this.line.waiting.length >= this.queued) {
      expect(codeOf(await answer)).toBe('BULKHEAD_FULL')
      return
    }
    this.line.waiting.push({ id, key, rank, sinceMs: this.clock.nowMs() })
    if (this.line instanceof Fair && full) this.line.joined(key)
    if (full) return
    this.line.waiting.pop()
    this.running.push(id)
    this.expected.push(id)
  }

  async end(): Promise<void> {
    while (this.running.length > 0) await this.do({ do: 'end', which: 0 })
    await settled()
    expect([this.slots.running, this.slots.waiting, this.clock.pending]).toEqual([0, 0, 0])
  }
}

test.each(Object.keys(ORDERS))(
  'a bulkhead serves in its order, whatever happens meanwhile (%s)',
  async (order) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const run = new Run(order)
        for (const one of steps) await run.do(one)
        await run.end()
      }),
      { numRuns: 150 },
    )
  },
  60_000,
)
