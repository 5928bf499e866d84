import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bulkhead, bulkhead, createContext, type Keyed, keyed, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, settled } from './support.ts'

const IDLE_MS = 50
const TIMEOUT_MS = 20
const CONCURRENT = 2

type How = 'later' | 'throws' | 'value'
type Command =
  | { readonly type: 'start'; readonly key: string; readonly how: How }
  | { readonly type: 'end'; readonly which: number; readonly holds: boolean }
  | { readonly type: 'let go'; readonly which: number }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'jump'; readonly ms: number }
  | { readonly type: 'size'; readonly keysMax: number }

const just = <T extends string>(type: T) => fc.constant(type)
const which = fc.nat(6)
const how = fc.constantFrom<How>('later', 'later', 'throws', 'value')
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: just('start'), key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), how }) },
  { weight: 3, arbitrary: fc.record({ type: just('end'), which, holds: fc.constantFrom(false, false, true) }) },
  { weight: 1, arbitrary: fc.record({ type: just('let go'), which }) },
  { weight: 1, arbitrary: fc.record({ type: just('abort'), which }) },
  { weight: 2, arbitrary: fc.record({ type: just('pass'), ms: fc.constantFrom(5, TIMEOUT_MS, IDLE_MS) }) },
  { weight: 1, arbitrary: fc.record({ type: just('jump'), ms: fc.constantFrom(-500, 500) }) },
  { weight: 1, arbitrary: fc.record({ type: just('size'), keysMax: fc.integer({ min: 1, max: 4 }) }) },
)

interface Call {
  readonly key: string
  readonly work: Deferred
  readonly held: Deferred
  readonly abort: () => void
  hold: (() => void) | undefined
  /** `busy`: its work, or what it holds, goes on. */
  where: 'outside' | 'busy' | 'held' | 'gone'
  told: string | undefined
}

/** What the table has to hold, longest unused first; the value is when it was used last. */
class ModelTable {
  readonly usedMs = new Map<string, number>()
  created = 0
  evicted = 0
  refused = 0

  /** False: refused. */
  use(key: string, nowMs: number, keysMax: number, busy: ReadonlySet<string>): boolean {
    const known = this.usedMs.delete(key)
    if (known) this.usedMs.set(key, nowMs)
    const [oldest] = this.usedMs.keys()
    if (oldest !== undefined && oldest !== key && !busy.has(oldest) && nowMs - (this.usedMs.get(oldest) ?? 0) >= IDLE_MS)
      this.forget(oldest)
    if (known) return true
    this.shrink(keysMax - 1, busy)
    if (this.usedMs.size >= keysMax) {
      this.refused += 1
      return false
    }
    this.created += 1
    this.usedMs.set(key, nowMs)
    return true
  }

  shrink(keys: number, busy: ReadonlySet<string>): void {
    for (const key of [...this.usedMs.keys()]) if (this.usedMs.size > keys && !busy.has(key)) this.forget(key)
  }

  forget(key: string): void {
    this.usedMs.delete(key)
    this.evicted += 1
  }
}

class Run {
  readonly clock = testClock()
  readonly model = new ModelTable()
  readonly made: Bulkhead[] = []
  readonly keyed: Keyed<never>
  readonly calls: Call[] = []
  #skewMs = 0

  constructor(
    readonly timed: boolean,
    public keysMax: number,
  ) {
    const clock = { ...this.clock, nowMs: () => this.clock.nowMs() + this.#skewMs }
    const create = () => {
      const slots = bulkhead({ concurrent: CONCURRENT })
      this.made.push(slots)
      return timed ? policies(slots, timeout({ timeoutMs: TIMEOUT_MS, clock: this.clock })) : slots
    }
    this.keyed = keyed(create, { by: 'host', keysMax, idleMs: IDLE_MS, clock })
  }

  at(...where: Call['where'][]): Call[] {
    return this.calls.filter((call) => where.includes(call.where))
  }

  get busy(): ReadonlySet<string> {
    return new Set(this.at('busy', 'held').map(({ key }) => key))
  }

  async do(command: Command): Promise<void> {
    if (command.type === 'start') this.#start(command.key, command.how)
    else if (command.type === 'pass') await this.clock.advance(command.ms)
    else if (command.type === 'jump') this.#skewMs += command.ms
    else if (command.type === 'end') this.#end(this.at('busy')[command.which], command.holds)
    else if (command.type === 'let go') this.#letGo(this.at('held')[command.which])
    else if (command.type === 'abort') this.at('busy')[command.which]?.abort()
    else {
      this.keysMax = command.keysMax
      this.model.shrink(command.keysMax, this.busy)
      this.keyed.reconfigure({ keysMax: command.keysMax })
    }
    await settled()
    this.check()
  }

  #start(key: string, how: How): void {
    const { signal, abort } = countedSignal()
    const call: Call = { key, work: deferred(), held: deferred(), abort, hold: undefined, where: 'outside', told: undefined }
    this.calls.push(call)
    const full = this.at('busy', 'held').filter((other) => other.key === key).length >= CONCURRENT
    const has = this.model.use(key, this.clock.nowMs() + this.#skewMs, this.keysMax, this.busy)
    const answer = !has ? 'KEYS_EXHAUSTED' : full ? 'BULKHEAD_FULL' : undefined
    if (answer === undefined) call.where = how === 'later' ? 'busy' : 'gone'
    const task = (ctx: { hold(work: Promise<unknown>): void }): unknown => {
      call.hold = () => ctx.hold(call.held.promise)
      if (how === 'throws') throw new Error('at once')
      return how === 'value' ? 1 : call.work.promise
    }
    void this.keyed.tryRun(task, { context: createContext({ signal, keys: { host: key } }) }).then((outcome) => {
      const told = String(codeOf(outcome))
      call.told = answer !== undefined && told !== answer ? `${told}, not ${answer}` : told
    })
  }

  #end(call: Call | undefined, holds: boolean): void {
    if (call === undefined) return
    if (holds) call.hold?.()
    call.where = holds ? 'held' : 'gone'
    call.work.resolve(1)
  }

  #letGo(call: Call | undefined): void {
    if (call === undefined) return
    call.where = 'gone'
    call.held.resolve(1)
  }

  check(): void {
    const { created, evicted, refused, usedMs } = this.model
    expect(this.keyed.keys()).toEqual([...usedMs.keys()])
    expect(this.keyed.stats()).toMatchObject({ keys: usedMs.size, created, evicted, refused })
    expect(this.made).toHaveLength(created)
    for (const key of this.busy) expect(this.keyed.keys()).toContain(key)
    for (const { told } of this.calls) expect(String(told)).not.toContain('not ')
    expect(this.made.reduce((sum, { running }) => sum + running, 0)).toBe(this.at('busy', 'held').length)
  }

  async end(): Promise<void> {
    for (const call of this.at('busy')) this.#end(call, false)
    for (const call of this.at('held')) this.#letGo(call)
    await settled()
    this.check()
    expect(this.calls.every(({ told }) => told !== undefined)).toBe(true)
    // Nothing is busy any more: all of it can be forgotten.
    this.keyed.reconfigure({ keysMax: 1 })
    expect(this.keyed.stats().keys).toBeLessThanOrEqual(1)
    expect([this.made.some(({ running, abandoned }) => running + abandoned > 0), this.clock.pending]).toEqual([false, 0])
  }
}

test.each([false, true])(
  'a keyed policy keeps and forgets keys as its model does (timeouts inside: %s)',
  async (timed) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(command, { minLength: 15, maxLength: 60 }), async (keysMax, commands) => {
        const run = new Run(timed, keysMax)
        for (const each of commands) await run.do(each)
        await run.end()
      }),
      { numRuns: 100 },
    )
  },
  60_000,
)
