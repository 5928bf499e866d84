// A long day of a service in little time: mixed calls through all policies, with chaos; in the end everything is as it was at the start.
// 20,000 calls in the suite; as many as HOLDFAST_SOAK says otherwise (`npm run soak`: a million).
import { expect, test } from 'vitest'
import { createContext, HoldfastError, type Outcome, type Policy, policies, type RunOptions } from '../../src/index.ts'
import type { TestClock } from '../../src/testing/test-clock.ts'
import { everyPolicy } from '../resilience/hazards/every-policy.ts'
import { FAULTS, taskOf } from '../resilience/hazards/faults.ts'
import { countedSignal } from '../resilience/support.ts'
import { heapInUse } from './heap-use.ts'
import { SoakClock, turn } from './soak-clock.ts'

const CALLS = Number(process.env.HOLDFAST_SOAK ?? 20_000)
const AT_ONCE = 40
/** Tables, windows and compiled code have their size by then. */
const WARM = Math.min(CALLS / 4, 50_000)
/** What the run itself and the runner keep, however long it lasts. */
const HEAP_SLACK_BYTES = 4_000_000

/** mulberry32: the same calls in every run. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const STACKS: readonly (readonly string[])[] = [
  ['retry', 'circuitBreaker', 'bulkhead', 'timeout'],
  ['fallback', 'retry', 'keyed', 'timeout', 'chaos'],
  ['timeout', 'adaptiveBulkhead, gradient2', 'chaos'],
  ['adaptiveBulkhead, aimd', 'timeout', 'hedge'],
  ['cache', 'coalesce', 'rateLimit, bucket', 'hedge', 'bulkhead'],
  ['coalesce', 'circuitBreaker', 'rateLimit, window', 'adaptiveBulkhead, aimd', 'chaos'],
]

class Soak {
  readonly clock = new SoakClock()
  readonly every = everyPolicy(this.clock as unknown as TestClock)
  readonly codes = new Map<string, number>()
  readonly parent = countedSignal()
  readonly #random = chance(20_260_101)
  readonly #guards: readonly Policy[]
  readonly #aborts: (() => void)[] = []
  answered = 0
  started = 0

  constructor() {
    const { each } = this.every
    const stacked = STACKS.map((names) => policies(...names.map((name) => each[name] as never)))
    this.#guards = [...Object.values(each), ...stacked, ...stacked, ...stacked]
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }

  async run(calls: number): Promise<void> {
    for (const until = this.started + calls; this.started < until; ) {
      for (let n = 0; n < AT_ONCE; n++) this.#start()
      while (this.#aborts.length > 10) this.#aborts.splice(Math.floor(this.#random() * 10), 1)[0]?.()
      if (this.#random() < 0.02) this.every.resize(1 + Math.floor(this.#random() * 4))
      await this.clock.advance(this.#pick([1, 1, 2, 5, 20]))
    }
  }

  #start(): void {
    this.started += 1
    const task = taskOf(this.#random() < 0.6 ? 'ok' : this.#pick(FAULTS), this.clock as unknown as TestClock)
    void this.#pick(this.#guards)
      .tryRun(task as () => unknown, this.#options())
      .then((outcome) => this.#count(outcome))
  }

  #options(): RunOptions {
    const keys = { key: `${Math.floor(this.#random() * 6)}` }
    const how = this.#random()
    if (how < 0.2) return { keys }
    if (how < 0.4) return { keys, signal: this.parent.signal }
    if (how < 0.6) return { context: createContext({ keys, signal: this.parent.signal, clock: this.clock }) }
    if (how < 0.8) return { context: createContext({ keys, timeoutMs: this.#random() < 0.1 ? 0 : 40, clock: this.clock }) }
    const own = new AbortController()
    this.#aborts.push(() => own.abort(new Error('enough')))
    return { keys, signal: own.signal }
  }

  #count(outcome: Outcome<unknown>): void {
    this.answered += 1
    const code = outcome.ok ? (outcome.source ?? 'work') : outcome.error instanceof HoldfastError ? outcome.error.code : 'error'
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
  }

  async drain(): Promise<void> {
    for (const abort of this.#aborts.splice(0)) abort()
    await this.clock.advance(2_000)
    await turn()
  }

  left(): object {
    return {
      unanswered: this.started - this.answered,
      leaks: this.every.leaks(),
      timers: this.clock.pending,
      listeners: this.parent.listeners(),
    }
  }
}

const NOTHING = { unanswered: 0, leaks: {}, timers: 0, listeners: 0 }
const EVERY_CODE = [
  'ABORTED',
  'BREAKER_OPEN',
  'BULKHEAD_FULL',
  'DEADLINE',
  'KEYS_EXHAUSTED',
  'QUEUE_TIMEOUT',
  'RATE_LIMITED',
  'TIMEOUT',
  'cache',
  'error',
  'fallback',
  'stale',
  'work',
] as const

test(`after ${CALLS.toLocaleString('en')} mixed calls nothing is left: no slot, no listener, no timer, no memory`, async () => {
  const soak = new Soak()
  await soak.run(WARM)
  await soak.drain()
  expect(soak.left()).toEqual(NOTHING)
  const before = await heapInUse()
  await soak.run(CALLS - WARM)
  await soak.drain()
  expect(soak.left()).toEqual(NOTHING)
  const grown = (await heapInUse()) - before
  expect([...soak.codes.keys()].sort()).toEqual(expect.arrayContaining([...EVERY_CODE]))
  expect(grown).toBeLessThan(HEAP_SLACK_BYTES)
  for (const breaker of soak.every.breakers) {
    for (let n = 0; n < 3; n++) await breaker.tryRun(() => 'well')
    expect(breaker.state).toBe('closed')
  }
  if (process.env.HOLDFAST_SOAK !== undefined)
    console.log({
      calls: soak.started,
      virtualSeconds: Math.round(soak.clock.nowMs() / 1_000),
      heapGrownBytes: grown,
      ...Object.fromEntries(soak.codes),
    })
}, 3_600_000)
