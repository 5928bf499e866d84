import type { Clock } from '../../core/clock.ts'
import { show } from '../../core/options.ts'
import type { Listener, Notifier } from '../../ports/notifier.ts'
import { aborted, invalidInput, notStarted } from '../storage-shared/refusals.ts'
import { checkText } from '../storage-shared/texts.ts'
import { Bell } from './bell.ts'
import type { MemoryStore } from './store.ts'

const TOPIC_MAX = 200

/** Tells hints to everybody who listens on the same store. */
export class MemoryNotifier implements Notifier {
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #mine = new Set<MemoryListener>()
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  describe() {
    return { delivery: 'in-process', reason: 'everything is in one process' } as const
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
  }

  async notify(topic: string): Promise<void> {
    this.#check('notify', topic)
    for (const listener of this.#store.listeners.get(topic) ?? []) listener.hint()
  }

  async listen(topic: string): Promise<Listener> {
    this.#check('listen', topic)
    const { listeners } = this.#store
    const all = listeners.get(topic) ?? new Set()
    listeners.set(topic, all)
    const listener = new MemoryListener(this.#clock, () => {
      all.delete(listener)
      this.#mine.delete(listener)
      // A topic may have been left by all, and found again by others, before this one closes.
      if (all.size === 0 && listeners.get(topic) === all) listeners.delete(topic)
    })
    all.add(listener)
    this.#mine.add(listener)
    return listener
  }

  async close(): Promise<void> {
    this.#isOpen = false
    for (const listener of [...this.#mine]) listener.close()
  }

  #check(call: string, topic: string): void {
    checkText(`${call}: topic`, topic)
    if (topic.length < 1 || topic.length > TOPIC_MAX)
      throw invalidInput(`${call}: topic`, `a text of 1 to ${TOPIC_MAX} characters`, show(topic))
    if (!this.#isOpen) throw notStarted('memory')
  }
}

/** Keeps at most one hint that nobody has waited for. */
class MemoryListener implements Listener {
  readonly #bell: Bell
  readonly #closed: () => void
  #hinted = false
  #isOpen = true

  constructor(clock: Clock, closed: () => void) {
    this.#bell = new Bell(clock)
    this.#closed = closed
  }

  hint(): void {
    this.#hinted = true
    this.#bell.ring()
  }

  async wait(maxMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!(typeof maxMs === 'number' && maxMs >= 0)) throw invalidInput('wait: maxMs', 'a number of at least 0', show(maxMs))
    if (signal?.aborted) throw aborted('wait', signal)
    if (!this.#isOpen) throw notStarted('memory')
    const woken = this.#hinted ? 'rung' : await this.#bell.wait({ signal, maxMs })
    if (woken === 'aborted') throw aborted('wait', signal as AbortSignal)
    if (woken === 'closed') throw notStarted('memory')
    if (woken === 'rung') this.#hinted = false
    return woken === 'rung'
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#closed()
    this.#bell.ring('closed')
  }
}
