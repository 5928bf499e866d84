import type { Clock, Timer } from '../../core/clock.ts'
import type {
  Delivery,
  GroupAddress,
  GroupStats,
  Settlement,
  SubscribeOptions,
  TransportMessage,
  TransportSubscription,
  Tries,
} from '../../ports/transport.ts'
import { PlaceQueue } from './place-queue.ts'

/** One message in one group. */
export interface Entry {
  readonly message: TransportMessage
  /** Its place: the order in which messages were confirmed. */
  readonly place: number
  tries: Tries
  /** Set while it waits for its retry. */
  dueMs: number
  timer: Timer | null
}

const FRESH: Tries = Object.freeze({ attempt: 1, refused: 0 })

/** What a group needs of its transport. */
export interface GroupHost {
  readonly clock: Clock
  /** A place in the group's queue has become free. */
  freed(): void
  bury(group: MemoryGroup, message: TransportMessage, settlement: Settlement & { as: 'dead' }): void
}

/** One group's queue, and who takes from it. */
export class MemoryGroup {
  readonly address: GroupAddress
  readonly #host: GroupHost
  readonly #ready = new PlaceQueue<Entry>()
  readonly #delayed = new Set<Entry>()
  readonly #subscriptions: MemorySubscription[] = []
  #unsettled = 0
  #places = 0
  #turn = 0
  #pumping = false

  constructor(address: GroupAddress, host: GroupHost) {
    this.address = address
    this.#host = host
  }

  get size(): number {
    return this.#ready.size + this.#delayed.size + this.#unsettled
  }

  get stats(): GroupStats {
    return { ...this.address, ready: this.#ready.size, unsettled: this.#unsettled, delayed: this.#delayed.size }
  }

  add(message: TransportMessage): void {
    this.#ready.push({ message, place: this.#places++, tries: FRESH, dueMs: 0, timer: null })
    this.wake()
  }

  subscribe(options: SubscribeOptions): MemorySubscription {
    const subscription = new MemorySubscription(this, options)
    this.#subscriptions.push(subscription)
    return subscription
  }

  leave(subscription: MemorySubscription, held: Iterable<Entry>): void {
    this.#subscriptions.splice(this.#subscriptions.indexOf(subscription), 1)
    for (const entry of held) this.#giveBack(entry)
    this.wake()
  }

  settle(entry: Entry, settlement: Settlement): void {
    if (settlement.as === 'release') {
      this.#giveBack(entry)
      this.wake()
      return
    }
    this.#unsettled -= 1
    if (settlement.as === 'retry') {
      entry.tries = Object.freeze({ ...settlement.tries })
      this.#delay(entry, settlement.delayMs)
      return
    }
    if (settlement.as === 'dead') this.#host.bury(this, entry.message, settlement)
    this.#host.freed()
  }

  /** The transport closes: timers end, the waiting messages and their times stay. */
  rest(): void {
    for (const subscription of [...this.#subscriptions]) subscription.end()
    for (const entry of this.#delayed) entry.timer?.clear()
  }

  /** The transport opens again. */
  resume(): void {
    for (const entry of [...this.#delayed]) this.#arm(entry)
  }

  // In a microtask, so that a handler never runs inside somebody's publish, and so that deliveries come in batches.
  wake(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    const batches = new Map<MemorySubscription, Delivery[]>()
    while (this.#ready.size > 0) {
      const taker = this.#taker()
      if (taker === undefined) break
      const delivery = taker.hold(this.#ready.shift() as Entry)
      this.#unsettled += 1
      const batch = batches.get(taker)
      if (batch === undefined) batches.set(taker, [delivery])
      else batch.push(delivery)
    }
    for (const [taker, batch] of batches) taker.deliver(batch)
  }

  /** In turn, so that nobody starves; the oldest alone where it is exclusive. */
  #taker(): MemorySubscription | undefined {
    const all = this.#subscriptions
    if (all[0]?.exclusive === true) return all[0].credits > 0 ? all[0] : undefined
    for (let i = 0; i < all.length; i++) {
      const taker = all[(this.#turn + i) % all.length] as MemorySubscription
      if (taker.credits === 0 || taker.exclusive) continue
      this.#turn = (this.#turn + i + 1) % all.length
      return taker
    }
    return undefined
  }

  #giveBack(entry: Entry): void {
    this.#unsettled -= 1
    this.#ready.putBack(entry)
  }

  #delay(entry: Entry, delayMs: number): void {
    entry.dueMs = this.#host.clock.nowMs() + delayMs
    this.#delayed.add(entry)
    this.#arm(entry)
  }

  #arm(entry: Entry): void {
    const leftMs = entry.dueMs - this.#host.clock.nowMs()
    if (leftMs > 0) entry.timer = this.#host.clock.setTimer(() => this.#due(entry), leftMs)
    else this.#due(entry)
  }

  #due(entry: Entry): void {
    entry.timer = null
    this.#delayed.delete(entry)
    this.#ready.putBack(entry)
    this.wake()
  }
}

class MemorySubscription implements TransportSubscription {
  readonly exclusive: boolean
  readonly #group: MemoryGroup
  readonly #deliver: SubscribeOptions['deliver']
  readonly #held = new Map<Delivery, Entry>()
  #credits = 0
  #state: 'taking' | 'draining' | 'closed' = 'taking'

  constructor(group: MemoryGroup, options: SubscribeOptions) {
    this.#group = group
    this.#deliver = options.deliver
    this.exclusive = options.exclusive === true
  }

  get credits(): number {
    return this.#state === 'taking' ? this.#credits : 0
  }

  credit(count: number): void {
    this.#credits += count
    if (this.credits > 0) this.#group.wake()
  }

  hold(entry: Entry): Delivery {
    this.#credits -= 1
    const delivery: Delivery = Object.freeze({ message: entry.message, tries: entry.tries })
    this.#held.set(delivery, entry)
    return delivery
  }

  deliver(deliveries: readonly Delivery[]): void {
    this.#deliver(deliveries)
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly ('settled' | 'stale')[]> {
    return settlements.map((settlement) => {
      const entry = this.#held.get(settlement.delivery)
      if (entry === undefined) return 'stale'
      this.#held.delete(settlement.delivery)
      this.#group.settle(entry, settlement)
      return 'settled'
    })
  }

  drain(): void {
    if (this.#state === 'taking') this.#state = 'draining'
  }

  async close(): Promise<void> {
    this.end()
  }

  end(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const held = [...this.#held.values()]
    this.#held.clear()
    this.#group.leave(this, held)
  }
}
