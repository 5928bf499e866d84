import type { Clock } from '../core/clock.ts'
import { compose } from '../core/compose.ts'
import type { Context } from '../core/context.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { HoldfastError, refusal } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import type { Recovery } from '../core/handler.ts'
import { checkOptions, show } from '../core/options.ts'
import { partsOf } from '../core/policy-inside.ts'
import { durationMs, optional, ratio, whole } from '../core/rules.ts'
import { type KeyEntry, KeyTable } from './key-table.ts'
import type { KeyedEvents, KeyedOptions, KeyedStats } from './keyed-options.ts'
import type { Owner } from './managed.ts'

interface Slot {
  readonly policy: Recovery<unknown>
  /** Its composition around one handler, remembered: nearly every policy wraps one. */
  token: object | null
  composed: Next | null
  readonly others: WeakMap<object, Next>
}
type Entry = KeyEntry<Slot>

const changeable = {
  keysMax: optional(whole({ min: 1, default: 1 })),
  idleMs: optional(durationMs({ min: 1, default: 1 })),
  ejectedMaxShare: optional(ratio({ default: 1 })),
}

export class KeyedOwner implements Owner<KeyedStats, KeyedEvents> {
  readonly name: string
  readonly events = new Emitter<KeyedEvents>()
  readonly #create: (key: string) => Recovery<unknown>
  readonly #keyOf: (ctx: Context) => unknown
  readonly #clock: Clock
  readonly #table: KeyTable<Slot>
  /** Keys whose breaker refused, and until when. */
  readonly #ejected = new Map<string, number>()
  /** Contexts of calls whose work has not begun; only kept while `ejectedMaxShare` matters. */
  readonly #notBegun = new WeakSet<Ctx>()
  #ejectedMaxShare: number
  #created = 0
  #evicted = 0
  #panicked = 0
  #refused = 0

  constructor(create: (key: string) => Recovery<unknown>, options: Required<KeyedOptions>) {
    this.name = options.name
    this.#create = create
    this.#clock = options.clock
    this.#ejectedMaxShare = options.ejectedMaxShare
    this.#table = new KeyTable(options.keysMax, options.idleMs, (key) => this.#forget(key))
    const { by } = options
    this.#keyOf =
      typeof by === 'function' ? by : by === 'tenant' ? (ctx) => ctx.tenant ?? ctx.keys.tenant ?? '' : (ctx) => ctx.keys[by] ?? ''
  }

  stats(): KeyedStats {
    return {
      keys: this.#table.size,
      ejected: this.#ejectedNow(this.#clock.nowMs()),
      created: this.#created,
      evicted: this.#evicted,
      panicked: this.#panicked,
      refused: this.#refused,
    }
  }

  reconfigure(changes: object): void {
    const { keysMax, idleMs, ejectedMaxShare } = checkOptions(`keyed ${this.name}`, changes, changeable)
    if (idleMs !== undefined) this.#table.idleMs = idleMs
    if (keysMax !== undefined) {
      this.#table.keysMax = keysMax
      this.#table.shrink()
    }
    if (ejectedMaxShare !== undefined) this.#ejectedMaxShare = ejectedMaxShare
  }

  keys(): readonly string[] {
    return this.#table.keys()
  }

  get(key: string): Recovery<unknown> | undefined {
    return this.#table.peek(key)?.value.policy
  }

  readonly wrap = (next: Next): Next => {
    const token = {}
    const inner: Next = (input, ctx) => {
      if (this.#ejectedMaxShare < 1) this.#began(ctx as Ctx)
      return next(input, ctx)
    }
    return (input, given) => this.#call(token, inner, input, given ?? freshCtx())
  }

  #call(token: object, next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    const nowMs = this.#clock.nowMs()
    let entry: Entry
    let composed: Next
    try {
      entry = this.#entry(this.#key(ctx), nowMs)
      composed = composedFor(entry.value, token, next)
    } catch (error) {
      return Promise.reject(error)
    }
    const own = ctx.child(ctx.attempt)
    const panics = this.#ejectedMaxShare < 1
    if (panics) this.#notBegun.add(own)
    entry.busy += 1
    const answer = invoked(composed, input, own)
    const watched = panics ? answer.then(undefined, (error: unknown) => this.#refusedBy(entry, error, next, input, own)) : answer
    const done = (): void => own.whenIdle(() => this.#ended(entry, own))
    watched.then(done, done)
    return watched
  }

  #ended(entry: Entry, own: Ctx): void {
    own.end()
    entry.busy -= 1
  }

  #key(ctx: Ctx): string {
    const key = this.#keyOf(ctx)
    if (typeof key === 'string') return key
    throw new HoldfastError('INVALID_INPUT', `${this.name}: by must return a text, got ${show(key)}`, { effect: 'none', retry: 'never' })
  }

  #entry(key: string, nowMs: number): Entry {
    const known = this.#table.use(key, nowMs)
    if (known !== undefined) return known
    if (!this.#table.makeRoom()) {
      this.#refused += 1
      throw refusal('KEYS_EXHAUSTED', `${this.name}: all of its ${this.#table.size} keys have calls in flight`)
    }
    const policy = this.#create(key)
    partsOf(`${this.name}: what create returns`, policy)
    this.#created += 1
    this.#tell('created', key)
    return this.#table.add(key, { policy, token: null, composed: null, others: new WeakMap() }, nowMs)
  }

  #forget(key: string): void {
    this.#evicted += 1
    this.#ejected.delete(key)
    this.#tell('evicted', key)
  }

  #began(ctx: Ctx): void {
    for (let at: Ctx | null = ctx; at !== null; at = at.parent) if (this.#notBegun.delete(at)) return
  }

  /** A breaker of this key refused. With too many keys ejected, an answer that may fail is better than none. */
  #refusedBy(entry: Entry, error: unknown, next: Next, input: unknown, own: Ctx): Promise<unknown> {
    if (!(error instanceof HoldfastError) || error.code !== 'BREAKER_OPEN' || !this.#notBegun.has(own)) return Promise.reject(error)
    const nowMs = this.#clock.nowMs()
    this.#ejected.set(entry.key, nowMs + (error.retryAfterMs ?? 0))
    if (this.#ejectedNow(nowMs) <= this.#table.size * this.#ejectedMaxShare) return Promise.reject(error)
    this.#panicked += 1
    this.#tell('panicked', entry.key)
    return invoked(next, input, own)
  }

  #ejectedNow(nowMs: number): number {
    for (const [key, untilMs] of this.#ejected) if (untilMs <= nowMs) this.#ejected.delete(key)
    return this.#ejected.size
  }

  #tell(event: keyof KeyedEvents, key: string): void {
    this.events.emit(event, { name: this.name, key })
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'keyed', name: this.name, event, key })
  }
}

function composedFor(slot: Slot, token: object, next: Next): Next {
  if (slot.token === token) return slot.composed as Next
  let composed = slot.others.get(token)
  if (composed === undefined) {
    composed = compose(partsOf('keyed', slot.policy), next)
    if (slot.token === null) {
      slot.token = token
      slot.composed = composed
    } else slot.others.set(token, composed)
  }
  return composed
}

function invoked(call: Next, input: unknown, ctx: Ctx): Promise<unknown> {
  try {
    const answer = call(input, ctx)
    return answer instanceof Promise ? answer : Promise.resolve(answer)
  } catch (error) {
    return Promise.reject(error)
  }
}
