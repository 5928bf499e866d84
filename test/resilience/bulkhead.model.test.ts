import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bulkhead, bulkhead, type Policy, policies, timeout } from '../../src/index.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, errorOf, settled } from './support.ts'

const TIMEOUT_MS = 10

type Shape = 'alone' | 'timeout inside' | 'timeout outside'
type Command =
  | { readonly type: 'start'; readonly how: 'later' | 'throws' | 'value' }
  | { readonly type: 'end'; readonly which: number; readonly ok: boolean; readonly holds: boolean }
  | { readonly type: 'let go' | 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }

const which = fc.nat(9)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('start' as const), how: fc.constantFrom('later', 'later', 'later', 'throws', 'value') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('end' as const), which, ok: fc.boolean(), holds: fc.constantFrom(false, false, true) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('let go' as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('abort' as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(1, 4, TIMEOUT_MS) }) },
)

/** A call, as it is and as it should be. */
interface Call {
  readonly id: number
  readonly how: 'later' | 'throws' | 'value'
  readonly startedMs: number
  readonly work: Deferred
  readonly held: Deferred
  readonly abort: () => void
  hold: (() => void) | undefined
  where: 'waiting' | 'running' | 'held' | 'gone'
  answer: string | undefined
  /** What the caller was told. */
  told: string | undefined
  /** Whether the work had begun, by what the error says. */
  effect: string | undefined
}

class Run {
  readonly clock: TestClock = testClock()
  readonly slots: Bulkhead
  readonly guard: Policy
  readonly calls: Call[] = []
  readonly began: number[] = []
  readonly beginning: number[] = []

  constructor(
    readonly shape: Shape,
    readonly concurrent: number,
    readonly queued: number,
  ) {
    this.slots = bulkhead({ concurrent, queued, name: 'k' })
    const late = timeout({ timeoutMs: TIMEOUT_MS, clock: this.clock })
    this.guard = shape === 'alone' ? this.slots : shape === 'timeout inside' ? policies(this.slots, late) : policies(late, this.slots)
  }

  at(...where: Call['where'][]): Call[] {
    return this.calls.filter((call) => where.includes(call.where))
  }

  async do(command: Command): Promise<void> {
    if (command.type === 'start') this.#start(command.how)
    else if (command.type === 'pass') await this.#pass(command.ms)
    else if (command.type === 'end') this.#end(this.at('running')[command.which], command.ok, command.holds)
    else if (command.type === 'abort') this.#abort(this.at('waiting', 'running', 'held')[command.which])
    else this.#letGo(this.at('held')[command.which])
    await settled()
    this.check()
  }

  #start(how: Call['how']): void {
    const { signal, abort } = countedSignal()
    const call: Call = {
      id: this.calls.length,
      how,
      startedMs: this.clock.nowMs(),
      work: deferred(),
      held: deferred(),
      abort,
      hold: undefined,
      where: 'gone',
      answer: undefined,
      told: undefined,
      effect: undefined,
    }
    const full = this.at('running', 'held').length === this.concurrent
    if (full && this.at('waiting').length === this.queued) call.answer = 'BULKHEAD_FULL'
    else if (full) call.where = 'waiting'
    this.calls.push(call)
    if (!full) this.#begins(call)
    const outcome = this.guard.tryRun(
      (ctx) => {
        this.began.push(call.id)
        call.hold = () => ctx.hold(call.held.promise)
        if (how === 'throws') throw new Error('at once')
        return how === 'value' ? 'no promise' : call.work.promise
      },
      { signal },
    )
    void outcome.then((answer) => {
      call.told = answer.ok ? 'ok' : answer.error instanceof Error && !('code' in answer.error) ? 'error' : String(codeOf(answer))
      call.effect = answer.ok ? undefined : answer.effect
      if (call.told === 'BULKHEAD_FULL')
        expect(errorOf(answer).message).toBe(`k is full: ${this.concurrent} running, ${this.queued} of ${this.queued} waiting`)
    })
  }

  /** In the model: it has a slot. */
  #begins(call: Call): void {
    this.beginning.push(call.id)
    call.where = 'running'
    if (call.how === 'later') return
    call.answer ??= call.how === 'value' ? 'ok' : 'error'
    call.where = 'gone'
    this.#handOver()
  }

  #handOver(): void {
    const [oldest] = this.at('waiting')
    if (oldest !== undefined && this.at('running', 'held').length < this.concurrent) this.#begins(oldest)
  }

  #end(call: Call | undefined, ok: boolean, holds: boolean): void {
    if (call === undefined) return
    if (holds) call.hold?.()
    call.answer ??= ok ? 'ok' : 'error'
    call.where = holds ? 'held' : 'gone'
    if (ok) call.work.resolve(1)
    else call.work.reject(new Error('boom'))
    this.#handOver()
  }

  #letGo(call: Call | undefined): void {
    if (call === undefined) return
    call.where = 'gone'
    call.held.resolve(1)
    this.#handOver()
  }

  #abort(call: Call | undefined): void {
    if (call === undefined) return
    call.answer ??= 'ABORTED'
    if (call.where === 'waiting') call.where = 'gone'
    call.abort()
  }

  async #pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    if (this.shape === 'alone') return
    for (const call of this.at('waiting', 'running')) {
      const sinceMs = this.shape === 'timeout outside' ? call.startedMs : this.#beganMs.get(call.id)
      if (call.answer !== undefined || sinceMs === undefined || this.clock.nowMs() - sinceMs < TIMEOUT_MS) continue
      call.answer = 'TIMEOUT'
      if (call.where === 'waiting') call.where = 'gone'
    }
  }
  readonly #beganMs = new Map<number, number>()

  check(): void {
    for (const id of this.beginning) if (!this.#beganMs.has(id)) this.#beganMs.set(id, this.clock.nowMs())
    expect(this.began).toEqual(this.beginning)
    expect(this.slots.running).toBe(this.at('running', 'held').length)
    expect(this.slots.running).toBeLessThanOrEqual(this.concurrent)
    expect(this.slots.waiting).toBe(this.at('waiting').length)
    const answered = this.shape === 'timeout inside' ? this.at('running').filter((call) => call.answer !== undefined) : []
    expect(this.slots.abandoned).toBe(this.at('held').length + answered.length)
    expect(this.calls.map(({ told }) => told)).toEqual(this.calls.map(({ answer }) => answer))
    for (const call of this.calls) {
      if (call.told !== 'TIMEOUT' && call.told !== 'ABORTED') continue
      const begun = this.beginning.includes(call.id)
      // From outside two frames, a timeout may only say too little: that perhaps something happened.
      if (begun || this.shape !== 'timeout outside') expect(`${call.id}: ${call.effect}`).toBe(`${call.id}: ${begun ? 'unknown' : 'none'}`)
    }
  }

  async end(): Promise<void> {
    while (this.at('waiting', 'running', 'held').length > 0) {
      this.#end(this.at('running')[0], true, false)
      this.#letGo(this.at('held')[0])
      await settled()
      this.check()
    }
    expect([this.slots.running, this.slots.waiting, this.slots.abandoned, this.clock.pending]).toEqual([0, 0, 0, 0])
  }
}

test.each<Shape>(['alone', 'timeout inside', 'timeout outside'])(
  'a bulkhead answers like its model (%s)',
  async (shape) => {
    const size = fc.record({ concurrent: fc.integer({ min: 1, max: 3 }), queued: fc.integer({ min: 0, max: 4 }) })
    await fc.assert(
      fc.asyncProperty(size, fc.array(command, { minLength: 15, maxLength: 50 }), async ({ concurrent, queued }, commands) => {
        const run = new Run(shape, concurrent, queued)
        for (const each of commands) await run.do(each)
        await run.end()
      }),
      { numRuns: 120 },
    )
  },
  60_000,
)
