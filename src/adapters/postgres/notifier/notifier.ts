import { show } from '../../../core/options.ts'
import type { Listener, Notifier } from '../../../ports/notifier.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'
import { checkText } from '../../storage-shared/texts.ts'
import { literal } from '../names.ts'
import { patiently } from '../patience.ts'
import { PgPort, type PgSession } from '../session.ts'
import { statement } from '../statement.ts'
import type { Ears } from './ears.ts'
import { channelOf, hashOf } from './hash.ts'
import type { Listen } from './listen-client.ts'
import { Listening } from './listening.ts'
import { Polling } from './polling.ts'
import { Pushing } from './pushing.ts'

const TOPIC_MAX = 200

/** Tells hints both ways, by NOTIFY and by a counter per topic: who listens may do it this way or that. */
export class PgNotifier implements Notifier {
  readonly #port: PgPort
  readonly #ears: Ears
  readonly #notify
  readonly #mine = new Set<Listening>()

  constructor(session: PgSession, options: { readonly listen: Listen | undefined; readonly pollMs: number }) {
    this.#port = new PgPort(session)
    this.#ears = options.listen === undefined ? new Polling(session, options.pollMs) : new Pushing(session, options.listen)
    const { of, place } = session.names
    this.#notify = statement(`with counted as (
        insert into ${of('hint')} as h (topic, number) values ($1::text, 1) on conflict (topic) do update set number = h.number + 1 returning topic
      ) select pg_notify(${literal(channelOf(place))}, topic)::text from counted`)
  }

  describe() {
    const { delivery, reason } = this.#ears
    return { delivery, reason }
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.#port.session.inspect(signal)
    await this.#ears.open()
    await this.#port.open(signal)
  }

  async notify(topic: string): Promise<void> {
    this.#check('notify', topic)
    await patiently(this.#port.session.clock, () => this.#port.query(this.#notify, [hashOf(topic)], { call: 'notify', writes: true }))
  }

  async listen(topic: string): Promise<Listener> {
    this.#check('listen', topic)
    const listener: Listening = new Listening(topic, this.#port.session.clock, {
      waits: () => this.#ears.waits(listener),
      rests: () => this.#ears.rests(listener),
      closed: () => {
        this.#mine.delete(listener)
        this.#ears.remove(listener)
      },
    })
    this.#mine.add(listener)
    try {
      await this.#ears.add(listener)
    } catch (error) {
      listener.close()
      throw error
    }
    return listener
  }

  async close(): Promise<void> {
    this.#port.close()
    for (const listener of [...this.#mine]) listener.close()
    await this.#ears.close()
  }

  #check(call: string, topic: string): void {
    checkText(`${call}: topic`, topic)
    if (topic.length < 1 || topic.length > TOPIC_MAX)
      throw invalidInput(`${call}: topic`, `a text of 1 to ${TOPIC_MAX} characters`, show(topic))
    this.#port.check(call, undefined)
  }
}
