import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AdaptiveBulkhead, adaptiveBulkhead, aimd, gradient2, type Policy, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, settled } from './support.ts'

const TIMEOUT_MS = 10

type Shape = 'alone' | 'timeout inside' | 'timeout outside'
type Command =
  | { readonly type: 'start'; readonly how: 'later' | 'throws' | 'value' }
  | { readonly type: 'end'; readonly which: number; readonly ok: boolean; readonly holds: boolean }
  | { readonly type: 'let go' | 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'jump'; readonly ms: number }
  | { readonly type: 'resize'; readonly min: number; readonly max: number }

const which = fc.nat(9)
const just = <T extends string>(type: T) => fc.constant(type)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: just('start'), how: fc.constantFrom('later', 'later', 'later', 'throws', 'value') }) },
  { weight: 4, arbitrary: fc.record({ type: just('end'), which, ok: fc.boolean(), holds: fc.constantFrom(false, false, true) }) },
  { weight: 1, arbitrary: fc.record({ type: just('let go'), which }) },
  { weight: 2, arbitrary: fc.record({ type: just('abort'), which }) },
  { weight: 2, arbitrary: fc.record({ type: just('pass'), ms: fc.constantFrom(1, 4, TIMEOUT_MS, 100) }) },
  { weight: 1, arbitrary: fc.record({ type: just('jump'), ms: fc.constantFrom(-1_000, -3, 3, 1_000) }) },
  { weight: 1, arbitrary: fc.record({ type: just('resize'), min: fc.integer({ min: 1, max: 3 }), max: fc.integer({ min: 3, max: 6 }) }) },
)

interface Call {
  readonly work: Deferred
  readonly held: Deferred
  readonly abort: () => void
  hold: (() => void) | undefined
  where: 'outside' | 'running' | 'held' | 'gone'
  told: string | undefined
}

class Run {
  readonly clock = testClock()
  readonly slots: AdaptiveBulkhead
  readonly guard: Policy
  readonly calls: Call[] = []
  readonly range = { min: 1, max: 6 }
  #skewMs = 0
  /** The highest limit since the last look: a call may have been admitted under any of these. */
  #highestLimit = 0
  /** What tasks and listeners have seen that must not be: they cannot fail the test themselves. */
  readonly #wrong: string[] = []

  constructor(shape: Shape, algorithm: 'gradient2' | 'aimd') {
    const clock = { ...this.clock, nowMs: () => this.clock.nowMs() + this.#skewMs }
    this.slots = adaptiveBulkhead({
      algorithm: algorithm === 'aimd' ? aimd({ latencyMaxMs: 5, decrease: 0.5 }) : gradient2({ smoothing: 1, decrease: 0.5 }),
      concurrentInitial: 2,
      concurrentMax: this.range.max,
      queued: 3,
      windowMs: 2,
      windowCallsMin: 2,
      clock,
    })
    const { slots } = this
    slots.on('limitChanged', ({ from, to }) => {
      if (from === to) this.#wrong.push('a change that is none')
      this.#highestLimit = Math.max(this.#highestLimit, from, to)
    })
    const late = timeout({ timeoutMs: TIMEOUT_MS, clock })
    this.guard = shape === 'alone' ? slots : shape === 'timeout inside' ? policies(slots, late) : policies(late, slots)
  }

  at(...where: Call['where'][]): Call[] {
    return this.calls.filter((call) => where.includes(call.where))
  }

  async do(command: Command): Promise<void> {
    this.#highestLimit = this.slots.limit
    if (command.type === 'start') this.#start(command.how)
    else if (command.type === 'pass') await this.clock.advance(command.ms)
    else if (command.type === 'jump') this.#skewMs += command.ms
    else if (command.type === 'end') this.#end(this.at('running')[command.which], command.ok, command.holds)
    else if (command.type === 'abort') this.calls.filter(({ told }) => told === undefined)[command.which]?.abort()
    else if (command.type === 'resize') this.#resize(command.min, command.max)
    else this.#letGo(this.at('held')[command.which])
    await settled()
    this.check()
  }

  #start(how: 'later' | 'throws' | 'value'): void {
    const { signal, abort } = countedSignal()
    const call: Call = { work: deferred(), held: deferred(), abort, hold: undefined, where: 'outside', told: undefined }
    this.calls.push(call)
    const full = this.slots.running >= this.slots.limit && this.slots.waiting === 3
    const outcome = this.guard.tryRun(
      (ctx) => {
        call.where = 'running'
        if (this.slots.running > Math.max(this.#highestLimit, this.slots.limit)) this.#wrong.push('more in flight than the limit')
        call.hold = () => ctx.hold(call.held.promise)
        if (how === 'later') return call.work.promise
        call.where = 'gone'
        if (how === 'throws') throw new Error('at once')
        return 'no promise'
      },
      { signal },
    )
    void outcome.then((answer) => {
      call.told = answer.ok ? 'ok' : answer.error instanceof Error && !('code' in answer.error) ? 'error' : String(codeOf(answer))
      if ((call.told === 'BULKHEAD_FULL') !== full) this.#wrong.push(`${call.told} where full is ${full}`)
    })
  }

  #end(call: Call | undefined, ok: boolean, holds: boolean): void {
    if (call === undefined) return
    if (holds) call.hold?.()
    call.where = holds ? 'held' : 'gone'
    if (ok) call.work.resolve(1)
    else call.work.reject(new Error('boom'))
  }

  #letGo(call: Call | undefined): void {
    if (call === undefined) return
    call.where = 'gone'
    call.held.resolve(1)
  }

  #resize(min: number, max: number): void {
    Object.assign(this.range, { min, max })
    this.slots.reconfigure({ concurrentMin: min, concurrentMax: max })
  }

  check(): void {
    const { running, waiting, limit } = this.slots
    const stats = this.slots.stats()
    expect(this.#wrong).toEqual([])
    expect(running).toBe(this.at('running', 'held').length)
    expect(waiting).toBe(this.calls.filter(({ where, told }) => where === 'outside' && told === undefined).length)
    // Nobody waits beside a free slot.
    if (waiting > 0) expect(running).toBeGreaterThanOrEqual(limit)
    expect(limit).toBeGreaterThanOrEqual(this.range.min)
    expect(limit).toBeLessThanOrEqual(this.range.max)
    for (const each of [stats.latencyMs, stats.baselineMs]) expect(each).toBeGreaterThanOrEqual(0)
    // Every call that was admitted and has been answered counted exactly once.
    expect(stats.samples + stats.dropped + stats.ignored).toBe(stats.admitted - (running - stats.abandoned))
  }

  async end(): Promise<void> {
    while (this.at('running', 'held').length > 0) {
      this.#end(this.at('running')[0], true, false)
      this.#letGo(this.at('held')[0])
      await settled()
      this.check()
    }
    expect(this.calls.every(({ told }) => told !== undefined)).toBe(true)
    expect([this.slots.running, this.slots.waiting, this.slots.abandoned, this.clock.pending]).toEqual([0, 0, 0, 0])
  }
}

const shapes: readonly Shape[] = ['alone', 'timeout inside', 'timeout outside']
test.each(shapes.flatMap((shape) => (['gradient2', 'aimd'] as const).map((algorithm) => ({ shape, algorithm }))))(
  'an adaptive bulkhead never leaks a slot, nor admits beyond its limit, whatever happens ($algorithm, $shape)',
  async ({ shape, algorithm }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 70 }), async (commands) => {
        const run = new Run(shape, algorithm)
        for (const each of commands) await run.do(each)
        await run.end()
      }),
      { numRuns: 80 },
    )
  },
  60_000,
)
