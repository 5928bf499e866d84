import { deadlinePassed } from './abort-errors.ts'
import type { Context, ContextChange, TraceContext } from './context.ts'
import { HoldfastError } from './errors.ts'
import { uuidv7 } from './ids.ts'
import { changeMeta, type Meta, NO_META } from './meta.ts'
import { invalidOption } from './options.ts'
import { Link, Rare } from './rare.ts'
import { joinSignal, leaveRing, leaveSignal, Ring, type Waiting } from './waiting.ts'

const KNOWN = new Set(['timeoutMs', 'attempt', 'idempotencyKey', 'tenant', 'keys', 'trace', 'correlationId', 'causationId', 'values'])

/** Names a context has while it is the context of a racing call; reserved on every context, so that where `with` is called does not matter. */
const OF_CALLS = new Set(
  (
    'admit admitted answerEarly answered due dueBefore dueIn dueMs enterFrom enteredMs enteredMsOf fail finish fire frame giveBack input left ' +
    'limitOnFrame permits reject resolve settle times waitAt'
  ).split(' '),
)

/**
 * The one implementation of `Context`: a node in a tree. It joins its parent (or a caller's signal, or a timer) only while somebody inside
 * waits or has read `signal`, and leaves when the work and its holds have ended; a call nobody cancels touches nothing.
 */
export class Ctx implements Context {
  declare readonly parent: Ctx | null
  /** The deadline on the clock of `meta`; null for none, which costs no boxed number. */
  declare limitMs: number | null
  declare readonly attempt: number
  declare readonly meta: Meta
  /** Whether it, or anything above it, can be aborted. */
  declare readonly live: boolean
  declare more: Rare<Ctx> | null

  constructor(parent: Ctx | null, limitMs: number | null, attempt: number, meta: Meta, live: boolean) {
    this.parent = parent
    this.limitMs = limitMs
    this.attempt = attempt
    this.meta = meta
    this.live = live
    this.more = null
    if (meta.extras !== null) Object.assign(this, meta.extras)
  }

  get tenant(): string | undefined {
    return this.meta.tenant
  }
  get keys(): Readonly<Record<string, string>> {
    return this.meta.keys
  }
  get trace(): TraceContext | undefined {
    return this.meta.trace
  }
  get correlationId(): string | undefined {
    return this.meta.correlationId
  }
  get causationId(): string | undefined {
    return this.meta.causationId
  }
  get values(): ReadonlyMap<unknown, unknown> {
    return this.meta.values
  }

  get remainingMs(): number {
    return this.limitMs === null ? Number.POSITIVE_INFINITY : Math.max(0, this.limitMs - this.meta.clock.nowMs())
  }

  get idempotencyKey(): string {
    if (this.meta.idempotencyKey !== undefined) return this.meta.idempotencyKey
    let top: Ctx = this
    for (;;) {
      const above: Ctx | null = top.parent ?? (top.more === null ? null : top.more.origin)
      if (above === null) break
      top = above
    }
    const more = top.rare
    more.key ??= uuidv7(this.meta.clock.epochMs())
    return more.key
  }

  get rare(): Rare<Ctx> {
    this.more ??= new Rare()
    return this.more
  }

  get aborted(): boolean {
    if (!this.live) return false
    for (let ctx: Ctx | null = this; ctx?.live; ctx = ctx.parent) if (ctx.overItself) return true
    return false
  }

  /** Aborted here, not above. A source or a deadline counts also while nobody listens. */
  get overItself(): boolean {
    const more = this.more
    if (more === null) return false
    return more.over || more.source?.aborted === true || (more.arms && this.remainingMs === 0)
  }

  /** Why it is aborted; undefined while it is not. */
  get reason(): unknown {
    for (let ctx: Ctx | null = this; ctx?.live; ctx = ctx.parent) {
      if (!ctx.overItself) continue
      const more = ctx.rare
      return more.over ? more.reason : more.source?.aborted === true ? more.source.reason : deadlinePassed()
    }
    return undefined
  }

  get signal(): AbortSignal {
    const more = this.rare
    if (more.controller === null) {
      const controller = new AbortController()
      more.controller = controller
      if (this.aborted) controller.abort(this.reason)
      else this.joinUp()
    }
    return more.controller.signal
  }

  /** Joins those who are told of an abort. Told at once when it has already happened. */
  listen(waiting: Waiting): void {
    if (!this.live) return
    if (this.aborted) {
      waiting.abortedBy(this.reason)
      return
    }
    const more = this.rare
    more.waits ??= new Ring()
    more.waits.join(waiting)
    this.joinUp()
  }

  unlisten(waiting: Waiting): void {
    if (waiting.prev === null) return
    leaveRing(waiting)
    this.restIfIdle()
  }

  /** The work and its holds have ended: nobody above has to tell us anything. */
  end(): void {
    this.leaveUp()
  }

  abort(reason: unknown): void {
    const more = this.rare
    if (more.over) return
    more.over = true
    more.reason = reason
    this.leaveUp()
    more.controller?.abort(reason)
    more.waits?.fire(reason)
  }

  abortedBy(reason: unknown): void {
    this.abort(reason)
  }

  child(attempt: number): Ctx {
    return new Ctx(this, this.limitMs, attempt, this.meta, this.live)
  }

  with<X extends object>(change: X): this & X {
    if (typeof change !== 'object' || change === null) throw invalidOption('context.with', 'the change', 'an object', change)
    const extras: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(change)) {
      if (KNOWN.has(name)) continue
      if (OF_CALLS.has(name) || (name in this && !(this.meta.extras !== null && Object.hasOwn(this.meta.extras, name))))
        throw reserved(name)
      extras[name] = value
    }
    const known = change as ContextChange
    if (known.timeoutMs !== undefined && (typeof known.timeoutMs !== 'number' || Number.isNaN(known.timeoutMs)))
      throw invalidOption('context.with', 'timeoutMs', 'a number of milliseconds', known.timeoutMs)
    const meta = changeMeta(this.meta, Object.keys(extras).length > 0 ? { ...known, extras } : known)
    return derive(this, meta, known.attempt ?? this.attempt, known.timeoutMs, undefined) as this & X
  }

  hold(work: PromiseLike<unknown>): void {
    const done = (): void => this.held(-1)
    this.held(1)
    Promise.resolve(work).then(done, done)
  }

  /** Counts work that goes on after its call was answered, here and in everything above. */
  held(change: 1 | -1): void {
    for (let ctx: Ctx | null = this; ctx !== null; ctx = ctx.parent) {
      const more = ctx.rare
      more.pending += change
      if (more.pending > 0 || more.idle === null) continue
      const idle = more.idle
      more.idle = null
      idle()
    }
  }

  /** Calls `then` when nothing is held any more: now, or once. */
  whenIdle(then: () => void): void {
    if (this.more === null || this.more.pending === 0) then()
    else this.more.idle = then
  }

  /** Has itself told of aborts from above, from its source and by its deadline. */
  joinUp(): void {
    if (!this.live) return
    const more = this.rare
    if (more.joined) return
    more.joined = true
    if (this.parent?.live === true) {
      more.up ??= new Link(this)
      this.parent.listen(more.up)
      // The clock moved on since we asked: a deadline above has passed, and we were told at once.
      if (!more.joined) return
    }
    if (more.source !== null) {
      more.link ??= new Link(this)
      joinSignal(more.source, more.link)
    }
    if (more.arms) more.timer = this.meta.clock.setTimer(() => this.abort(deadlinePassed()), this.remainingMs)
  }

  leaveUp(): void {
    const more = this.more
    if (more === null || !more.joined) return
    more.joined = false
    if (more.up !== null) this.parent?.unlisten(more.up)
    if (more.source !== null && more.link !== null) leaveSignal(more.source, more.link)
    more.timer?.clear()
    more.timer = null
  }

  restIfIdle(): void {
    const more = this.more
    if (more !== null && more.controller === null && (more.waits === null || more.waits.empty)) this.leaveUp()
  }
}

const BRAND = Symbol.for('holdfast/context')
Object.defineProperty(Ctx.prototype, BRAND, { value: true })

/** Whether a value is a context of ours, of whichever copy of the package. */
export function isContext(value: unknown): value is Context {
  try {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true
  } catch {
    return false
  }
}

/** Stands in for the caller's context while guards are asked, where a call began without one: it never aborts and has no deadline. */
export const NOBODY: Ctx = /* @__PURE__ */ new Ctx(null, null, 1, NO_META, false)

/** The context of a call that began without one. */
export const freshCtx = (): Ctx => new Ctx(null, null, 1, NO_META, false)

/** A context below `parent` (or a root) with its own source of abortion: a caller's signal, a deadline, or both. */
export function derive(
  parent: Ctx | null,
  meta: Meta,
  attempt: number,
  timeoutMs: number | undefined,
  source: AbortSignal | undefined,
): Ctx {
  const inheritedMs = parent === null ? null : parent.limitMs
  const mineMs = timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY ? null : meta.clock.nowMs() + timeoutMs
  const arms = mineMs !== null && (inheritedMs === null || mineMs < inheritedMs)
  const live = parent?.live === true || arms || source !== undefined
  const ctx = new Ctx(parent, arms ? mineMs : inheritedMs, attempt, meta, live)
  if (arms) ctx.rare.arms = true
  if (source !== undefined) ctx.rare.source = source
  return ctx
}

const reserved = (name: string): HoldfastError =>
  new HoldfastError('INVALID_OPTIONS', `context.with: ${name} is a name of the context's own; choose another`, {
    effect: 'none',
    retry: 'never',
    details: { option: name },
  })
