import { setImmediate } from 'node:timers'
import { show } from '../../../core/options.ts'
import type { Listener, Notifier } from '../../../ports/notifier.ts'
import { aborted, invalidInput, notStarted } from '../../storage-shared/refusals.ts'
import { checkText } from '../../storage-shared/texts.ts'
import { asNumber } from '../connection.ts'
import type { Session } from '../session.ts'
import { type KeptStatements, nextIn } from './statements.ts'

const TOPIC_MAX = 200
/** A topic that nobody has hinted at for so long is forgotten; whoever listens is woken for nothing then. */
const HINT_KEPT_MS = 86_400_000
const PURGE_MS = 3_600_000

// Taken once: a fake timer in its place would stop all hints.
const turn = setImmediate

/** Hints as numbers in a table: what this process commits is told at once, that of others is looked for. */
export class SqliteNotifier implements Notifier {
  readonly #session: Session
  readonly #pollMs: number
  #topics = new Set<string>()
  #flushing: Promise<void> | undefined
  #purgedMs = Number.NEGATIVE_INFINITY

  constructor(session: Session, pollMs: number) {
    this.#session = session
    this.#pollMs = pollMs
    session.beforeClose(() => this.#flushing?.catch(() => {}))
  }

  describe() {
    return { delivery: 'polled', reason: `SQLite tells nobody of a commit: its change counter is read every ${this.#pollMs} ms` } as const
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#session.open(signal)
  }

  /** What is asked for within a turn of the event loop goes in one transaction. */
  async notify(topic: string): Promise<void> {
    checkTopic('notify', topic)
    if (!this.#session.isOpen) throw notStarted('SQLite')
    this.#topics.add(topic)
    this.#flushing ??= this.#flush()
    await this.#flushing
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => turn(resolve))
    const topics = this.#topics
    this.#topics = new Set()
    this.#flushing = undefined
    await this.#session.write('notify', ({ kept }) => this.#write(kept, topics))
    this.#session.changes.ring()
  }

  #write(kept: KeptStatements, topics: ReadonlySet<string>): void {
    const nowMs = this.#session.clock.epochMs()
    for (const topic of topics) kept.addHint.run(topic, nextIn(kept, 'hint'), nowMs)
    if (nowMs - this.#purgedMs < PURGE_MS) return
    this.#purgedMs = nowMs
    kept.purgeHints.run(nowMs - HINT_KEPT_MS)
  }

  async listen(topic: string): Promise<Listener> {
    checkTopic('listen', topic)
    const seen = await this.#session.read('listen', ({ kept }) => latest(kept, topic))
    return new SqliteListener(this.#session, topic, seen)
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

class SqliteListener implements Listener {
  readonly #session: Session
  readonly #topic: string
  #seen: number
  #isOpen = true

  constructor(session: Session, topic: string, seen: number) {
    this.#session = session
    this.#topic = topic
    this.#seen = seen
  }

  async wait(maxMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!(typeof maxMs === 'number' && maxMs >= 0)) throw invalidInput('wait: maxMs', 'a number of at least 0', show(maxMs))
    const { changes, clock } = this.#session
    const untilMs = clock.nowMs() + maxMs
    for (;;) {
      if (signal?.aborted === true) throw aborted('wait', signal)
      if (!this.#isOpen) throw notStarted('SQLite')
      const since = changes.mark()
      const number = await this.#session.read('wait', ({ kept }) => latest(kept, this.#topic), signal)
      if (number !== this.#seen) {
        this.#seen = number
        return true
      }
      const leftMs = untilMs - clock.nowMs()
      if (leftMs <= 0) return false
      if ((await changes.wait({ since, maxMs: leftMs, signal })) === 'closed') throw notStarted('SQLite')
    }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    // Whoever waits at it looks again, and finds it closed.
    this.#session.changes.ring()
  }
}

const latest = (kept: KeptStatements, topic: string): number => {
  const row = kept.hint.get(topic)
  return row === undefined ? 0 : asNumber(row.number)
}

function checkTopic(call: string, topic: string): void {
  checkText(`${call}: topic`, topic)
  if (topic.length < 1 || topic.length > TOPIC_MAX)
    throw invalidInput(`${call}: topic`, `a text of 1 to ${TOPIC_MAX} characters`, show(topic))
}
