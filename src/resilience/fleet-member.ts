import { abortedError } from '../core/abort-errors.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import type { HoldfastError } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { GuardContext, Permit, Refusal } from '../core/guard.ts'
import { uuidv7 } from '../core/ids.ts'
import type { BreakerGuard } from './breaker-guard.ts'
import type { Isolation } from './breaker-readouts.ts'
import { Waiter, type WaiterOwner } from './bulkhead-queue.ts'
import type { CheckedFleet } from './fleet-options.ts'
import { Probing } from './fleet-probing.ts'
import { type FleetEvents, type FleetStats, fleetRefusal } from './fleet-readouts.ts'
import { type FleetRecord, NO_RECORD } from './fleet-records.ts'
import { FleetStore } from './fleet-store.ts'

/** Who did not get the lease asks again no sooner. */
const SEEK_AGAIN_MS = 500

/** One instance of a fleet: keeps its breaker shut while the fleet is open, and says what its own breaker finds. */
export class FleetMember implements WaiterOwner {
  readonly name: string
  readonly instance: string
  readonly events = new Emitter<FleetEvents>()
  readonly #options: CheckedFleet
  readonly #clock: Clock
  readonly #guard: BreakerGuard
  readonly #store: FleetStore
  readonly #probing: Probing
  /** What the fleet is, as last heard, and when by the local clock an instance may probe. */
  #record: FleetRecord = NO_RECORD
  #restUntilMs = 0
  /** When the store last answered; never: it is alone. */
  #heardMs = Number.NEGATIVE_INFINITY
  #alone = true
  /** Not null while the breaker is kept shut. */
  #held: Isolation | null = null
  #refusal: HoldfastError | null = null
  #seeking = false
  #seekAgainMs = 0
  #instances = 0
  #failing = 0
  #exchanged = 0
  #failed = 0
  #beat: Timer | null = null
  #running: AbortController | null = null
  #watching = false
  /** Everything that talks to the store runs one after another, so that nothing heard is older than what was heard before. */
  #turn: Promise<unknown> = Promise.resolve()
  #asked = false

  constructor(guard: BreakerGuard, options: CheckedFleet) {
    this.name = options.name
    this.instance = options.instance ?? uuidv7(options.clock.epochMs())
    this.#options = options
    this.#clock = options.clock
    this.#guard = guard
    this.#store = new FleetStore(options, this.instance)
    this.#probing = new Probing({
      store: this.#store,
      guard,
      options,
      ended: () => this.#soon(),
    })
  }

  get state(): FleetStats['state'] {
    return this.#alone ? 'alone' : this.#record.state
  }

  stats(): FleetStats {
    return {
      state: this.state,
      instances: this.#instances,
      failing: this.#failing,
      held: this.#held !== null,
      probing: this.#probing.active,
      exchanged: this.#exchanged,
      failed: this.#failed,
    }
  }

  /** Resolves when it has spoken with the store, or failed to once. */
  async start(): Promise<void> {
    if (this.#running !== null) return
    const running = new AbortController()
    this.#running = running
    const offs = (['opened', 'ramping', 'closed'] as const).map((event) =>
      this.#guard.events.on(event, () => {
        this.#probing.heard(event)
        this.#soon()
      }),
    )
    running.signal.addEventListener('abort', () => {
      for (const off of offs) off()
    })
    await this.#soon()
    this.#next(running.signal)
  }

  async close(): Promise<void> {
    if (this.#running === null) return
    this.#running.abort()
    this.#running = null
    this.#beat?.clear()
    await this.#turn
    this.#letGo()
    try {
      await this.#probing.end()
      await this.#store.withdraw()
    } catch {
      // What it said runs out by itself, as does the lease.
    }
    this.#alone = true
    this.#record = NO_RECORD
  }

  #next(signal: AbortSignal): void {
    if (signal.aborted) return
    const { heartbeatMs, random } = this.#options
    // Not all at the same time, however they were started.
    this.#beat = this.#clock.setTimer(() => void this.#soon().then(() => this.#next(signal)), heartbeatMs * (0.9 + random() * 0.2), {
      background: true,
    })
  }

  /** An exchange with the store after whatever is under way; those who ask while it waits its turn share it. */
  #soon(): Promise<unknown> {
    if (!this.#asked) {
      this.#asked = true
      this.#turn = this.#turn.then(() => {
        this.#asked = false
        return this.#running === null ? undefined : this.#exchange()
      })
    }
    return this.#turn
  }

  async #exchange(): Promise<void> {
    try {
      await this.#probing.settle()
      this.#apply(await this.#store.read())
      const { failing } = this.#guard
      await this.#store.say({ failing, under: this.#record.revision })
      if (failing && this.#record.state === 'closed') await this.#count()
      this.#exchanged += 1
      this.#watch()
    } catch (error) {
      this.#failed += 1
      if (this.#stale(this.#clock.nowMs())) this.#lose(error)
    }
  }

  /** Enough of those who are alive find it failing, under the same record: the fleet opens, for all. */
  async #count(): Promise<void> {
    const opinions = await this.#store.opinions()
    const { share, minimum } = this.#options.quorum
    this.#instances = opinions.length
    this.#failing = opinions.filter(({ failing, under }) => failing && under === this.#record.revision).length
    if (this.#failing < Math.max(minimum, share * opinions.length)) return
    const { record } = await this.#store.write(this.#record, 'open', this.#guard.openMs)
    this.#apply(record)
  }

  #apply(record: FleetRecord): void {
    const nowMs = this.#clock.nowMs()
    this.#heardMs = nowMs
    const changed = record.revision !== this.#record.revision
    const former = this.#record
    this.#record = record
    this.#restUntilMs = record.state === 'open' ? nowMs + Math.max(0, record.openMs - record.ageMs) : 0
    if (this.#alone) {
      this.#alone = false
      this.#emit('joined', { name: this.name, state: record.state })
    }
    if (record.state === 'closed') this.#recover()
    else if (!this.#probing.under(record)) this.#hold()
    if (!changed) return
    this.#seekAgainMs = 0
    if (record.state === 'open') this.#emit('opened', { name: this.name, openMs: record.openMs, by: record.by })
    else if (record.state === 'half-open') this.#emit('halfOpened', { name: this.name, by: record.by })
    else if (former.state !== 'closed') this.#emit('closed', { name: this.name, by: record.by })
  }

  #hold(): void {
    this.#probing.drop()
    this.#refusal = null
    if (this.#held !== null) return
    const isolation: Isolation = { release: () => this.#guard.release(isolation), [Symbol.dispose]: () => this.#guard.release(isolation) }
    this.#held = isolation
    this.#guard.isolate(isolation, (ctx) => this.#gate(ctx))
  }

  #letGo(): void {
    this.#held?.release()
    this.#held = null
  }

  #recover(): void {
    this.#probing.drop()
    if (this.#held === null) return
    this.#letGo()
    this.#guard.recover()
  }

  /** Answers for the breaker while the fleet is open. */
  #gate(ctx: GuardContext): Permit | Refusal | Promise<Permit | Refusal> {
    const nowMs = this.#clock.nowMs()
    if (this.#stale(nowMs)) {
      this.#lose(undefined)
      return this.#guard.enter(ctx, this.#guard.clock.nowMs())
    }
    if (nowMs < this.#restUntilMs || nowMs < this.#seekAgainMs || this.#seeking || ctx.aborted) return this.#refuse()
    return new Promise((answer) => {
      const waiter = new Waiter(ctx, answer, this)
      waiter.queued = true
      ctx.listen(waiter)
      void this.#seek().then(() => {
        if (!waiter.queued) return
        waiter.queued = false
        ctx.unlisten(waiter)
        answer(this.#held === null ? this.#guard.enter(ctx, this.#guard.clock.nowMs()) : this.#refuse())
      })
    })
  }

  gaveUp(waiter: Waiter): void {
    waiter.queued = false
    waiter.answer(abortedError(waiter.ctx, false))
  }

  #refuse(): Permit | Refusal {
    this.#refusal ??= fleetRefusal(this.name, () => Math.max(this.#restUntilMs, this.#seekAgainMs) - this.#clock.nowMs())
    return this.#guard.refuse(this.#refusal)
  }

  /** Asks to be the one that probes. */
  async #seek(): Promise<void> {
    this.#seeking = true
    this.#turn = this.#turn.then(async () => {
      try {
        if (this.#running === null || this.#held === null || this.#clock.nowMs() < this.#restUntilMs) return
        this.#seekAgainMs = this.#clock.nowMs() + SEEK_AGAIN_MS
        const found = await this.#probing.begin(this.#record)
        if (found === null) return
        if (this.#probing.under(found)) {
          this.#letGo()
          this.#guard.tryOut(found.openMs)
        }
        this.#apply(found)
      } catch {
        this.#failed += 1
      } finally {
        this.#seeking = false
      }
    })
    await this.#turn
  }

  #stale(nowMs: number): boolean {
    return nowMs - this.#heardMs > this.#options.staleMs
  }

  /** Too long without news: its breaker decides alone. */
  #lose(error: unknown): void {
    this.#probing.drop()
    this.#letGo()
    this.#record = NO_RECORD
    if (this.#alone) return
    this.#alone = true
    this.#emit('lost', { name: this.name, error })
  }

  #emit<N extends keyof FleetEvents>(event: N, told: FleetEvents[N]): void {
    this.events.emit(event, told)
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'fleet', event, ...told })
  }

  #watch(): void {
    const signal = this.#running?.signal
    if (this.#watching || signal === undefined) return
    this.#watching = true
    const read = async (): Promise<void> => {
      for await (const _ of this.#store.watch(signal)) void this.#soon()
    }
    // Where it ends by itself the next exchange begins it again.
    void read()
      .catch(() => {})
      .finally(() => {
        this.#watching = false
      })
  }
}
