import { abortedError } from '../abort-errors.ts'
import { Ctx, NOBODY } from '../ctx.ts'
import type { HoldfastError } from '../errors.ts'
import { isPending, isPermit, type Permit, type Refusal } from '../guard.ts'
import { changeMeta, type Meta } from '../meta.ts'
import type { Due, TimerList } from '../timer-list.ts'
import { gaveUp } from './gave-up.ts'
import type { Frame, Racer, RacingCall } from './types.ts'

type Entered = Refusal | undefined

const nothing = (): void => {}
let takenResolve: (value: unknown) => void = nothing
let takenReject: (error: unknown) => void = nothing
/** An executor that hands its functions to the `Call` made next, so that no closure is needed per call. */
export const take = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void => {
  takenResolve = resolve
  takenReject = reject
}
/** The same for a call that answers by other means. */
export const takeNothing = (): void => take(nothing, nothing)

/**
 * One call through one frame, where it needs an object: because a guard races (it is then the inner context, the timer entry and the
 * promise's resolver in one), or because a guard made it wait.
 */
export class Call extends Ctx implements Due, RacingCall {
  declare due: Due | null
  declare dueBefore: Due | null
  declare dueIn: TimerList | null
  declare readonly frame: Frame
  declare readonly input: unknown
  declare readonly permits: Permit[]
  declare admitted: number
  /** When each guard admitted, where they differ because one of them waited. */
  declare times: number[] | null
  declare readonly enteredMs: number
  /** Guards [0, left) have been told that the caller is answered. */
  declare left: number
  declare answered: boolean
  declare readonly resolve: (value: unknown) => void
  declare readonly reject: (error: unknown) => void

  constructor(frame: Frame, outer: Ctx | undefined, input: unknown, nowMs: number) {
    super(
      outer ?? null,
      outer === undefined ? null : outer.limitMs,
      outer === undefined || frame.rescue !== null ? 1 : outer.attempt,
      outer === undefined ? frame.meta : outer.meta,
      frame.racer !== null || outer?.live === true,
    )
    this.due = null
    this.dueBefore = null
    this.dueIn = null
    this.frame = frame
    this.input = input
    this.permits = new Array(frame.guards.length)
    this.admitted = 0
    this.times = null
    this.enteredMs = nowMs
    this.left = 0
    this.answered = false
    this.resolve = takenResolve
    this.reject = takenReject
  }

  /** Asks guards from number `i` on. Undefined: all admitted. */
  enterFrom(i: number, nowMs: number): Entered | Promise<Entered> {
    const { guards, racer, racerAt } = this.frame
    for (let at = i; at < guards.length; at++) {
      if (racer !== null && at === racerAt) {
        const late = racer.arm(this, nowMs)
        if (late !== undefined) return late
        this.admit(racer, nowMs)
        continue
      }
      // Guards outside the racer see the caller's context, those inside see the one that the racer can abort.
      const ctx = at > racerAt && racer !== null ? this : (this.parent ?? NOBODY)
      const entry = (guards[at] as (typeof guards)[number]).enter(ctx, nowMs)
      if (isPermit(entry)) this.admit(entry, nowMs)
      else if (isPending(entry)) return this.waitAt(at, entry)
      else return entry
    }
    return undefined
  }

  admit(permit: Permit, nowMs: number): void {
    if (this.times !== null) this.times[this.admitted] = nowMs
    this.permits[this.admitted++] = permit
  }

  async waitAt(at: number, pending: Promise<Permit | Refusal>): Promise<Entered> {
    this.times ??= new Array<number>(this.frame.guards.length).fill(this.enteredMs)
    const entry = await pending
    const nowMs = this.frame.timed || this.frame.timedLeave ? this.frame.clock.nowMs() : 0
    if (!isPermit(entry)) return entry
    // Admitted and aborted in the same turn: the permit goes straight back.
    if (this.answered || this.aborted) {
      const error = abortedError(this, false)
      entry.leave(false, error, nowMs, nowMs)
      entry.release?.()
      return error
    }
    this.admit(entry, nowMs)
    return this.enterFrom(at + 1, nowMs)
  }

  /** The work (or the way in) has ended: those not yet told are told, and permits return unless something is held. */
  finish(worked: boolean, answer: unknown): void {
    // A racing call was answered at the abort; any other one has to look.
    const began = this.admitted === this.frame.guards.length
    const cancelled = began && this.live && (this.answered || this.frame.racer === null) ? gaveUp(this) : null
    const ok = worked && cancelled === null
    const result = cancelled ?? answer
    const nowMs = this.frame.timedLeave ? this.frame.clock.nowMs() : 0
    const free = this.more === null || this.more.pending === 0
    for (let i = this.admitted - 1; i >= 0; i--) {
      const permit = this.permits[i] as Permit
      if (i >= this.left) permit.leave(ok, result, this.enteredMsOf(i), nowMs)
      if (free && permit.release !== undefined) permit.release()
    }
    this.frame.racer?.disarm(this)
    if (free) this.end()
    else this.rare.idle = () => this.giveBack()
  }

  giveBack(): void {
    for (let i = this.admitted - 1; i >= 0; i--) this.permits[i]?.release?.()
    this.end()
  }

  enteredMsOf(i: number): number {
    return this.times === null ? this.enteredMs : (this.times[i] as number)
  }

  /** The racer, or the caller's abort, answers in the work's place: the guards outside hear it now, the others when the work ends. */
  answerEarly(error: HoldfastError): void {
    if (this.answered) return
    this.answered = true
    const told = Math.min(this.frame.racerAt + 1, this.admitted)
    const nowMs = this.frame.timedLeave ? this.frame.clock.nowMs() : 0
    for (let i = told - 1; i >= 0; i--) this.permits[i]?.leave(false, error, this.enteredMsOf(i), nowMs)
    this.left = told
    this.frame.racer?.disarm(this)
    this.parent?.held(1)
    this.fail(error)
  }

  settle(ok: boolean, result: unknown): void {
    this.finish(ok, result)
    if (this.answered) {
      this.parent?.held(-1)
      return
    }
    this.answered = true
    if (ok) this.resolve(result)
    else this.fail(result)
  }

  /** A retry directly around this frame takes over here, which saves it a promise of its own on success. */
  fail(error: unknown): void {
    const { rescue } = this.frame
    if (rescue === null) this.reject(error)
    else this.resolve(rescue(this.input, this.parent ?? undefined, error, this))
  }

  /** The caller gave up, or a deadline above passed. */
  override abortedBy(reason: unknown): void {
    this.abort(reason)
    if (this.frame.racer === null) return
    this.answerEarly(abortedError(this, this.admitted === this.frame.guards.length))
  }

  /** A racing call listens until it ends, whoever else stops waiting. */
  override restIfIdle(): void {
    if (this.frame.racer === null) super.restIfIdle()
  }

  /** The racer's time is over. */
  fire(): void {
    const late = (this.frame.racer as Racer).late(this.admitted === this.frame.guards.length)
    this.abort(late)
    this.answerEarly(late)
  }

  /** When its racer fires. */
  get dueMs(): number {
    return this.limitMs ?? Number.POSITIVE_INFINITY
  }

  limitOnFrame(nowMs: number): number | null {
    const { clock } = this.frame
    if (this.meta.clock === clock) return this.limitMs
    // Also where there is no deadline yet: the one that the racer sets is on its clock, and is read on this context's.
    const limitMs = this.limitMs === null ? null : nowMs + this.remainingMs
    ;(this as { meta: Meta }).meta = changeMeta(this.meta, { clock })
    this.limitMs = limitMs
    return limitMs
  }
}
