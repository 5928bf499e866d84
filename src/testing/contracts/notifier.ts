import type { Notifier } from '../../ports/notifier.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

/** One fresh place for hints that a contract case works on. */
export interface NotifierStand {
  /** One more opening, not yet opened: another process, as far as the engine can tell. */
  readonly notifier: () => Notifier
  /** Lets time pass: moves the test clock, or waits where the engine's own clock counts. */
  readonly passMs: (ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

export type MakeNotifier = () => Promise<NotifierStand>

/** Long enough for any hint to have come. */
const LONG_MS = 60_000
const SHORT_MS = 30
const ROUNDS = 4_000

const on =
  (body: (first: Notifier, second: Notifier, stand: NotifierStand) => Promise<void>) =>
  async (make: MakeNotifier): Promise<void> => {
    const stand = await make()
    const [first, second] = [stand.notifier(), stand.notifier()]
    try {
      await first.open()
      await second.open()
      await body(first, second, stand)
    } finally {
      await first.close()
      await second.close()
      await stand.close()
    }
  }

async function passing<T>({ passMs }: NotifierStand, work: Promise<T>): Promise<T> {
  let done = false
  const settled = work.finally(() => {
    done = true
  })
  settled.catch(() => {})
  for (let round = 0; round < ROUNDS && !done; round++) await passMs(5)
  if (!done) throw new Error('it did not come to an end')
  return await settled
}

export const notifierContract: readonly ContractCase<MakeNotifier>[] = [
  {
    promise: 1,
    name: 'wakes everybody who listens to the topic, in any process',
    run: on(async (first, second, stand) => {
      const listeners = [await first.listen('orders'), await second.listen('orders'), await second.listen('orders')]
      const waits = listeners.map((listener) => listener.wait(LONG_MS))
      await first.notify('orders')
      same('all', await passing(stand, Promise.all(waits)), [true, true, true])
    }),
  },
  {
    promise: 1,
    name: 'keeps topics apart, whatever text they are',
    run: on(async (first, second, stand) => {
      const topics = ['a', 'A', "it's", 'Zoë 𝄞', 'a b;--', 'x'.repeat(200)]
      const listeners = await Promise.all(topics.map((topic) => second.listen(topic)))
      for (const [at, topic] of topics.entries()) {
        const woken = listeners[at]?.wait(LONG_MS)
        await first.notify(topic)
        same(topic, await passing(stand, Promise.resolve(woken)), true)
      }
      const quiet = await Promise.all(listeners.map((listener) => passing(stand, listener.wait(SHORT_MS))))
      check(
        'a hint for one topic is none for another, but may come for nothing once',
        quiet.filter((heard) => heard).length < topics.length,
      )
    }),
  },
  {
    promise: 2,
    name: 'keeps a hint that comes between two waits, and several as one',
    run: on(async (first, second, stand) => {
      const listener = await second.listen('orders')
      for (let n = 0; n < 3; n++) await first.notify('orders')
      same('the first wait', await passing(stand, listener.wait(LONG_MS)), true)
      let hints = 0
      while (await passing(stand, listener.wait(SHORT_MS))) hints += 1
      check(`at most one for each: ${hints}`, hints <= 2)
      await second.notify('orders')
      same('of its own process', await passing(stand, listener.wait(LONG_MS)), true)
    }),
  },
  {
    promise: 3,
    name: 'answers false where nothing comes in time',
    run: on(async (first, _, stand) => {
      const listener = await first.listen('orders')
      same('nothing', await passing(stand, listener.wait(SHORT_MS)), false)
      same('again', await passing(stand, listener.wait(0)), false)
    }),
  },
  {
    promise: 5,
    name: 'ends waits with the signal and with closing',
    run: on(async (first, second, stand) => {
      const caller = new AbortController()
      const listener = await first.listen('orders')
      const aborted = listener.wait(LONG_MS, caller.signal)
      aborted.catch(() => {})
      caller.abort()
      await refuses('aborted', 'ABORTED', () => passing(stand, aborted))
      await refuses('before', 'ABORTED', () => listener.wait(LONG_MS, caller.signal))
      const left = listener.wait(LONG_MS)
      left.catch(() => {})
      listener.close()
      await refuses('a closed listener', 'NOT_STARTED', () => passing(stand, left))
      await refuses('after', 'NOT_STARTED', () => listener.wait(SHORT_MS))
      const other = await second.listen('orders')
      const closed = other.wait(LONG_MS)
      closed.catch(() => {})
      await second.close()
      await refuses('a closed notifier', 'NOT_STARTED', () => passing(stand, closed))
      listener.close()
      await first.notify('orders')
    }),
  },
  {
    promise: 5,
    name: 'refuses what is no topic, and everything while it is not open',
    run: on(async (first, _, stand) => {
      for (const topic of ['', 'x'.repeat(201), 7 as unknown as string]) {
        await refuses('notify', 'INVALID_INPUT', () => first.notify(topic))
        await refuses('listen', 'INVALID_INPUT', () => first.listen(topic))
      }
      await refuses('a lone surrogate', 'NOT_JSON', () => first.notify('a\ud800'))
      const closed = stand.notifier()
      await refuses('notify', 'NOT_STARTED', () => closed.notify('a'))
      await refuses('listen', 'NOT_STARTED', () => closed.listen('a'))
      const { delivery, reason } = first.describe()
      check('says how', ['pushed', 'polled', 'in-process'].includes(delivery) && reason.length > 0)
    }),
  },
]
