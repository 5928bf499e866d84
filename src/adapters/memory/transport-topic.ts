import type { Clock, Timer } from '../../core/clock.ts'
import { HoldfastError, refusal } from '../../core/errors.ts'
import { joinSignal, leaveRing, leaveSignal, Waiting } from '../../core/waiting.ts'
import type { GroupAddress, Publisher, PublishVerdict, TransportMessage } from '../../ports/transport.ts'
import { type GroupHost, MemoryGroup } from './transport-group.ts'

export const CONFIRMED: PublishVerdict = Object.freeze({ result: 'confirmed' })

export interface TopicHost extends Pick<GroupHost, 'bury'> {
  readonly clock: Clock
  readonly queued: number
  readonly full: 'wait' | 'refuse'
  readonly waitMaxMs: number
  readonly waiting: number
  isKnown(message: TransportMessage): boolean
  remember(message: TransportMessage): void
}

/** One event's groups, and the publishers that wait because one of them is full. */
export class MemoryTopic {
  readonly groups = new Map<string, MemoryGroup>()
  readonly #name: string
  readonly #host: TopicHost
  /** In order of arrival. */
  readonly #waiters = new Set<Waiter>()

  constructor(name: string, host: TopicHost) {
    this.#name = name
    this.#host = host
  }

  get waiting(): number {
    return this.#waiters.size
  }

  ensure(address: GroupAddress): MemoryGroup {
    let group = this.groups.get(address.group)
    if (group === undefined) {
      const { clock, bury } = this.#host
      group = new MemoryGroup({ name: address.name, group: address.group }, { clock, bury, freed: () => this.#admit() })
      this.groups.set(address.group, group)
    }
    return group
  }

  offer(message: TransportMessage, publisher: Publisher | undefined): PublishVerdict | Promise<PublishVerdict> {
    if (publisher?.aborted === true) return none(gaveUp(publisher.signal.reason))
    // Where somebody waits there is no room: what becomes free goes to the waiting in the same step.
    if (this.#hasRoom()) return this.#accept(message)
    if (this.#host.full === 'refuse') return none(this.#refusal('QUEUE_FULL', 'publish was refused'))
    if (this.#waiters.size >= this.#host.waiting)
      return none(this.#refusal('QUEUE_FULL', `and ${this.#waiters.size} publishers wait already (waiting: ${this.#host.waiting})`))
    return new Promise((resolve) => this.#wait(message, publisher, resolve))
  }

  rest(error: HoldfastError): void {
    for (const waiter of [...this.#waiters]) waiter.end(none(error))
    for (const group of this.groups.values()) group.rest()
  }

  #wait(message: TransportMessage, publisher: Publisher | undefined, resolve: (verdict: PublishVerdict) => void): void {
    const { clock, waitMaxMs } = this.#host
    const waiter = new Waiter(message, publisher?.signal, (verdict) => {
      this.#waiters.delete(waiter)
      resolve(verdict)
    })
    this.#waiters.add(waiter)
    waiter.timer = clock.setTimer(() => waiter.end(none(this.#refusal('QUEUE_TIMEOUT', `no room within ${waitMaxMs} ms`))), waitMaxMs)
  }

  /** Room has come: it goes to those who wait the longest, in the same step. */
  #admit(): void {
    for (const waiter of this.#waiters) {
      if (!this.#hasRoom()) return
      waiter.end(this.#accept(waiter.message))
    }
  }

  #hasRoom(): boolean {
    for (const group of this.groups.values()) if (group.size >= this.#host.queued) return false
    return true
  }

  #accept(message: TransportMessage): PublishVerdict {
    // Known by now when the same id was accepted while this one waited.
    if (this.#host.isKnown(message)) return CONFIRMED
    this.#host.remember(message)
    for (const group of this.groups.values()) group.add(message)
    return CONFIRMED
  }

  #refusal(code: 'QUEUE_FULL' | 'QUEUE_TIMEOUT', more: string): HoldfastError {
    const full = [...this.groups.values()].filter((group) => group.size >= this.#host.queued).map(({ address }) => address.group)
    return refusal(code, `${this.#name}: ${full.join(', ')} holds ${this.#host.queued} messages, ${more}`, {
      details: { event: this.#name, groups: full, queued: this.#host.queued },
    })
  }
}

class Waiter extends Waiting {
  readonly message: TransportMessage
  timer: Timer | null = null
  readonly #signal: AbortSignal | undefined
  readonly #done: (verdict: PublishVerdict) => void

  constructor(message: TransportMessage, signal: AbortSignal | undefined, done: (verdict: PublishVerdict) => void) {
    super()
    this.message = message
    this.#signal = signal
    this.#done = done
    if (signal !== undefined) joinSignal(signal, this)
  }

  abortedBy(reason: unknown): void {
    this.end(none(gaveUp(reason)))
  }

  end(verdict: PublishVerdict): void {
    this.timer?.clear()
    if (this.#signal === undefined) leaveRing(this)
    else leaveSignal(this.#signal, this)
    this.#done(verdict)
  }
}

const none = (error: HoldfastError): PublishVerdict => ({ result: 'none', error })

function gaveUp(reason: unknown): HoldfastError {
  if (reason instanceof HoldfastError && (reason.code === 'DEADLINE' || reason.code === 'TIMEOUT'))
    return refusal('DEADLINE', 'publish: the deadline passed before there was room', { cause: reason })
  return refusal('ABORTED', 'publish: the caller gave up before there was room', { retry: 'never', cause: reason })
}
