import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bulkhead, bulkhead, type Hedge, hedge, type Policy, policies } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, settled } from './support.ts'

/** Exact in binary, so that what is saved adds up. */
const SHARE = 0.25
const SAVED_MAX = 10

type Command =
  | { readonly type: 'start'; readonly throws: boolean }
  | { readonly type: 'end'; readonly which: number; readonly ok: boolean }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'change'; readonly delayMs: number; readonly attempts: number }

const just = <T extends string>(type: T) => fc.constant(type)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: just('start'), throws: fc.constantFrom(false, false, false, true) }) },
  { weight: 4, arbitrary: fc.record({ type: just('end'), which: fc.nat(6), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: just('abort'), which: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ type: just('pass'), ms: fc.constantFrom(3, 10, 40) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: just('change'), delayMs: fc.constantFrom(5, 10, 20), attempts: fc.integer({ min: 2, max: 4 }) }),
  },
)

interface Attempt {
  readonly work: Deferred
  readonly signal: AbortSignal
  running: boolean
}
interface Call {
  readonly id: number
  readonly throws: boolean
  readonly abort: () => void
  /** What really was started, in order. */
  readonly attempts: Attempt[]
  /** How many the model started. */
  started: number
  /** When the next attempt starts; infinite for none. */
  dueMs: number
  /** In which order those that are due at the same time come. */
  armed: number
  answer: string | undefined
  told: string | undefined
}

class Run {
  readonly clock = testClock()
  readonly slots: Bulkhead = bulkhead({ concurrent: 1_000 })
  readonly hedge: Hedge
  readonly guard: Policy
  readonly calls: Call[] = []
  #delayMs = 10
  #attemptsMax = 2
  #saved = SAVED_MAX
  #armed = 0
  #hedged = 0
  #withheld = 0

  constructor() {
    this.hedge = hedge({ delayMs: this.#delayMs, attempts: this.#attemptsMax, hedgedMaxShare: SHARE, clock: this.clock })
    this.guard = policies(this.slots, this.hedge)
  }

  async do(command: Command): Promise<void> {
    if (command.type === 'start') this.#start(command.throws)
    else if (command.type === 'end') this.#end(this.#running()[command.which], command.ok)
    else if (command.type === 'abort') this.#abort(this.calls.filter(({ answer }) => answer === undefined)[command.which])
    else if (command.type === 'pass') await this.#pass(command.ms)
    else {
      this.#delayMs = command.delayMs
      this.#attemptsMax = command.attempts
      this.hedge.reconfigure({ delayMs: command.delayMs, attempts: command.attempts })
    }
    await settled()
    this.check()
  }

  #running(): { readonly call: Call; readonly attempt: Attempt }[] {
    return this.calls.flatMap((call) => call.attempts.filter(({ running }) => running).map((attempt) => ({ call, attempt })))
  }

  #start(throws: boolean): void {
    const { signal, abort } = countedSignal()
    const id = this.calls.length
    const call: Call = {
      id,
      throws,
      abort,
      attempts: [],
      started: 1,
      dueMs: Number.POSITIVE_INFINITY,
      armed: 0,
      answer: undefined,
      told: undefined,
    }
    this.calls.push(call)
    this.#saved = Math.min(SAVED_MAX, this.#saved + SHARE)
    if (throws) call.answer = 'error'
    else this.#arm(call)
    const task = (ctx: { readonly signal: AbortSignal }): Promise<unknown> => {
      const attempt = { work: deferred(), signal: ctx.signal, running: !throws }
      call.attempts.push(attempt)
      if (throws) throw new Error('at once')
      return attempt.work.promise
    }
    void this.guard.tryRun(task, { signal }).then((outcome) => {
      call.told = outcome.ok ? 'ok' : codeOf(outcome) instanceof Error ? 'error' : String(codeOf(outcome))
    })
  }

  #arm(call: Call): void {
    if (call.answer !== undefined || call.started >= this.#attemptsMax) return
    call.dueMs = this.clock.nowMs() + this.#delayMs
    call.armed = this.#armed++
  }

  #end(which: { readonly call: Call; readonly attempt: Attempt } | undefined, ok: boolean): void {
    if (which === undefined) return
    const { call, attempt } = which
    attempt.running = false
    if (ok) call.answer ??= 'ok'
    else if (call.attempts.every(({ running }) => !running)) call.answer ??= 'error'
    if (ok) attempt.work.resolve(1)
    else attempt.work.reject(new Error('boom'))
  }

  #abort(call: Call | undefined): void {
    if (call === undefined) return
    call.answer = 'ABORTED'
    call.abort()
  }

  async #pass(ms: number): Promise<void> {
    for (let n = 0; n < ms; n++) {
      await this.clock.advance(1)
      const due = this.calls.filter((call) => call.answer === undefined && call.dueMs === this.clock.nowMs())
      for (const call of due.toSorted((a, b) => a.armed - b.armed)) {
        call.dueMs = Number.POSITIVE_INFINITY
        if (this.#saved < 1) this.#withheld += 1
        else {
          this.#saved -= 1
          this.#hedged += 1
          call.started += 1
          this.#arm(call)
        }
      }
    }
  }

  check(): void {
    expect(this.calls.map(({ told }) => told)).toEqual(this.calls.map(({ answer }) => answer))
    expect(this.calls.map(({ attempts }) => attempts.length)).toEqual(this.calls.map(({ started }) => started))
    expect(this.hedge.stats()).toMatchObject({ calls: this.calls.length, hedged: this.#hedged, withheld: this.#withheld })
    // A slot is taken until the last attempt has settled.
    expect(this.slots.running).toBe(this.calls.filter((call) => call.attempts.some(({ running }) => running)).length)
    // Whoever lost hears it, and nobody else does.
    for (const call of this.calls)
      for (const { running, signal } of call.attempts) if (running) expect(signal.aborted).toBe(call.answer !== undefined)
  }

  async end(): Promise<void> {
    for (let next = this.#running()[0]; next !== undefined; next = this.#running()[0]) this.#end(next, true)
    await settled()
    this.check()
    expect([this.slots.running, this.slots.abandoned, this.clock.pending]).toEqual([0, 0, 0])
  }
}

test('a hedge starts, answers and cancels as its model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 15, maxLength: 60 }), async (commands) => {
      const run = new Run()
      for (const each of commands) await run.do(each)
      await run.end()
    }),
    { numRuns: 80 },
  )
}, 60_000)
