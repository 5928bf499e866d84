import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Limit, type RateLimit, rateLimit, slidingWindow, tokenBucket } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, errorOf, settled, within } from './support.ts'

/** Powers of two, so that the model's whole numbers and the bucket's fractions agree to the millisecond. */
const TOKEN_MS = 8
const WINDOW_MS = 20

type Size = { readonly kind: 'bucket' | 'window'; readonly calls: number }
type Command =
  | { readonly type: 'call'; readonly deadlineMs: number | undefined; readonly throws: boolean }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'limit'; readonly size: Size }
  | { readonly type: 'queue'; readonly queued: number }

const size = fc.record({ kind: fc.constantFrom('bucket' as const, 'window' as const), calls: fc.integer({ min: 1, max: 3 }) })
const just = <T extends string>(type: T) => fc.constant(type)
/** Between two milliseconds, so that no deadline and no token fall together. */
const deadlineMs = fc.constantFrom(undefined, undefined, 0, 5.5, 30.5)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: just('call'), deadlineMs, throws: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: just('abort'), which: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ type: just('pass'), ms: fc.constantFrom(1, 5, 8, 20, 100) }) },
  { weight: 1, arbitrary: fc.record({ type: just('limit'), size }) },
  { weight: 1, arbitrary: fc.record({ type: just('queue'), queued: fc.nat(4) }) },
)

/** The documentation of the two limits, as a calculation with whole milliseconds. */
class ModelMeter {
  readonly #size: Size
  #levelMs: number
  #atMs: number
  readonly #times: number[] = []

  constructor(size: Size, nowMs: number) {
    this.#size = size
    this.#levelMs = size.calls * TOKEN_MS
    this.#atMs = nowMs
  }

  /** How long until a call may pass. */
  waitMs(nowMs: number): number {
    const { kind, calls } = this.#size
    if (kind === 'window') return Math.max(0, (this.#times.at(-calls) ?? Number.NEGATIVE_INFINITY) + WINDOW_MS - nowMs)
    this.#levelMs = Math.min(calls * TOKEN_MS, this.#levelMs + nowMs - this.#atMs)
    this.#atMs = nowMs
    return Math.max(0, TOKEN_MS - this.#levelMs)
  }

  take(nowMs: number): void {
    this.#levelMs -= TOKEN_MS
    this.#times.push(nowMs)
  }
}

const limitOf = ({ kind, calls }: Size): Limit =>
  kind === 'bucket' ? tokenBucket({ ratePerSecond: 1_000 / TOKEN_MS, burst: calls }) : slidingWindow({ calls, windowMs: WINDOW_MS })

interface Call {
  readonly id: number
  readonly abort: () => void
  readonly dueMs: number
  answer: string | undefined
  told: string | undefined
}

class Run {
  readonly clock = testClock()
  readonly limit: RateLimit
  #meter: ModelMeter
  #queued: number
  readonly calls: Call[] = []
  readonly waiting: Call[] = []
  readonly passes: string[] = []
  readonly passed: string[] = []
  #refused = 0

  constructor(size: Size, queued: number) {
    this.limit = rateLimit({ limit: limitOf(size), queued, clock: this.clock })
    this.#meter = new ModelMeter(size, 0)
    this.#queued = queued
  }

  async do(command: Command): Promise<void> {
    if (command.type === 'call') this.#call(command.deadlineMs, command.throws)
    else if (command.type === 'abort') this.#abort(this.waiting[command.which])
    else if (command.type === 'pass') for (let ms = 0; ms < command.ms; ms++) await this.#pass()
    else if (command.type === 'limit') this.#change(command.size)
    else {
      this.#queued = command.queued
      this.limit.reconfigure({ queued: command.queued })
    }
    await settled()
    this.check()
  }

  #call(deadlineMs: number | undefined, throws: boolean): void {
    const nowMs = this.clock.nowMs()
    const { signal, abort } = countedSignal()
    const call: Call = {
      id: this.calls.length,
      abort,
      dueMs: nowMs + (deadlineMs ?? Number.POSITIVE_INFINITY),
      answer: undefined,
      told: undefined,
    }
    this.calls.push(call)
    const waitMs = this.#meter.waitMs(nowMs)
    if (deadlineMs === 0) call.answer = 'DEADLINE'
    else if (this.waiting.length === 0 && waitMs === 0) this.#passes(call)
    else if (this.waiting.length >= this.#queued) call.answer = 'RATE_LIMITED'
    else if (this.waiting.length === 0 && nowMs + waitMs >= call.dueMs) call.answer = 'RATE_LIMITED'
    else this.waiting.push(call)
    const context = deadlineMs === undefined ? { signal } : { signal, ...within(deadlineMs, this.clock) }
    void this.limit
      .tryRun(() => {
        this.passed.push(`${call.id} at ${this.clock.nowMs()}`)
        if (throws) throw new Error('boom')
      }, context)
      .then((outcome) => {
        call.told = outcome.ok || codeOf(outcome) instanceof Error ? 'passed' : String(codeOf(outcome))
        if (!outcome.ok && call.told !== 'passed') expect(errorOf(outcome).effect).toBe('none')
      })
  }

  #passes(call: Call): void {
    this.#meter.take(this.clock.nowMs())
    call.answer = 'passed'
    this.passes.push(`${call.id} at ${this.clock.nowMs()}`)
  }

  #abort(call: Call | undefined): void {
    if (call === undefined) return
    call.answer = 'ABORTED'
    this.waiting.splice(this.waiting.indexOf(call), 1)
    call.abort()
  }

  async #pass(): Promise<void> {
    await this.clock.advance(1)
    // Deadlines lie half a millisecond before.
    for (const call of [...this.waiting]) {
      if (call.dueMs > this.clock.nowMs()) continue
      call.answer = 'DEADLINE'
      this.waiting.splice(this.waiting.indexOf(call), 1)
    }
    this.#serve()
  }

  #serve(): void {
    while (this.waiting.length > 0 && this.#meter.waitMs(this.clock.nowMs()) === 0) this.#passes(this.waiting.shift() as Call)
  }

  #change(size: Size): void {
    this.#meter = new ModelMeter(size, this.clock.nowMs())
    this.limit.reconfigure({ limit: limitOf(size) })
    this.#serve()
  }

  check(): void {
    this.#refused = this.calls.filter(({ answer }) => answer === 'RATE_LIMITED').length
    expect(this.passed).toEqual(this.passes)
    if (this.waiting.length === 0) expect(this.clock.pending).toBe(0)
    expect(this.limit.stats()).toMatchObject({ waiting: this.waiting.length, refused: this.#refused })
    expect(this.calls.map(({ told }) => told)).toEqual(this.calls.map(({ answer }) => answer))
  }

  async end(): Promise<void> {
    for (let ms = 0; ms < 200; ms++) await this.#pass()
    await settled()
    this.check()
    expect([this.limit.stats().waiting, this.clock.pending]).toEqual([0, 0])
  }
}

test('a rate limit lets through who its model lets through, in order and to the millisecond', async () => {
  await fc.assert(
    fc.asyncProperty(size, fc.nat(3), fc.array(command, { minLength: 10, maxLength: 30 }), async (size, queued, commands) => {
      const run = new Run(size, queued)
      for (const each of commands) await run.do(each)
      await run.end()
    }),
    { numRuns: 100 },
  )
}, 60_000)

test('whatever the clock does, nobody is forgotten, and no more pass than may', async () => {
  const move = fc.oneof(
    fc.record({ pass: fc.constantFrom(1, 8, 40) }),
    fc.record({ jump: fc.constantFrom(-1_000, -5, 5, 1_000) }),
    fc.record({ calls: fc.integer({ min: 1, max: 5 }) }),
  )
  await fc.assert(
    fc.asyncProperty(size, fc.array(move, { minLength: 10, maxLength: 30 }), async (size, moves) => {
      const clock = testClock()
      let skewMs = 0
      let forwardMs = 0
      let passed = 0
      const skewed = { ...clock, nowMs: () => clock.nowMs() + skewMs }
      const limit = rateLimit({ limit: limitOf(size), queued: 20, clock: skewed })
      const calls = []
      for (const each of moves) {
        if ('pass' in each) await clock.advance(each.pass)
        else if ('jump' in each) {
          skewMs += each.jump
          forwardMs += Math.max(0, each.jump)
        } else for (let n = 0; n < each.calls; n++) calls.push(limit.tryRun(() => void passed++))
      }
      await settled()
      const spanMs = clock.nowMs() + forwardMs
      expect(passed).toBeLessThanOrEqual(
        size.kind === 'bucket' ? size.calls + spanMs / TOKEN_MS : size.calls * (1 + Math.ceil(spanMs / WINDOW_MS)),
      )
      while (await clock.next());
      expect((await Promise.all(calls)).map(codeOf).every((code) => code === 'ok' || code === 'RATE_LIMITED')).toBe(true)
      expect([limit.stats().waiting, clock.pending]).toEqual([0, 0])
    }),
    { numRuns: 100 },
  )
}, 60_000)
