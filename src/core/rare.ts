import type { Timer } from './clock.ts'
import type { Source } from './outcome.ts'
import { type Ring, Waiting } from './waiting.ts'

/** What few contexts need: made when the first of it is. */
export class Rare<C> {
  declare waits: Ring | null
  declare controller: AbortController | null
  declare over: boolean
  declare reason: unknown
  /** Told by the parent, while somebody here waits. */
  declare up: Link | null
  /** A caller's signal: this context is where it enters the tree. */
  declare source: AbortSignal | null
  declare link: Link | null
  /** This context made its deadline, so it keeps the timer; armed only while somebody waits. */
  declare arms: boolean
  declare timer: Timer | null
  declare joined: boolean
  declare key: string | null
  /** Where the idempotency key lives when the call began without a context and is being retried. */
  declare origin: C | null
  /** Where a policy inside notes who answered; made by `tryRun`. */
  declare sink: { source: Source } | null
  declare pending: number
  declare idle: (() => void) | null

  constructor() {
    this.waits = null
    this.controller = null
    this.over = false
    this.reason = undefined
    this.up = null
    this.source = null
    this.link = null
    this.arms = false
    this.timer = null
    this.joined = false
    this.key = null
    this.origin = null
    this.sink = null
    this.pending = 0
    this.idle = null
  }
}

/** Carries an abort into a context: from its parent, from a caller's signal. */
export class Link extends Waiting {
  declare readonly ctx: { abortedBy(reason: unknown): void }
  constructor(ctx: { abortedBy(reason: unknown): void }) {
    super()
    this.ctx = ctx
  }
  abortedBy(reason: unknown): void {
    this.ctx.abortedBy(reason)
  }
}
