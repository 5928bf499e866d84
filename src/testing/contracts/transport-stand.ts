import type { Delivery, GroupAddress, SubscribeOptions, Transport, TransportMessage, TransportSubscription } from '../../ports/transport.ts'
import { same } from './kit.ts'

/** The bounds a case needs; the engine's defaults for the rest. */
export interface TransportBounds {
  /** Messages a group may hold. */
  readonly queued?: number
  readonly full?: 'wait' | 'refuse'
  readonly waitMaxMs?: number
  readonly deadLetters?: number
}

/** One fresh transport, not yet opened, that a contract case works on. */
export interface TransportStand {
  readonly transport: Transport
  /** Lets time pass: moves the test clock, or waits where the engine's own clock counts; what has fallen due is handed out meanwhile. */
  readonly passMs: (ms: number) => Promise<void>
  /** Removes everything. */
  readonly close: () => Promise<void>
}

export type MakeTransport = (bounds: TransportBounds) => Promise<TransportStand>

export const PLACED = 'shop.order.placed'
export const PAID = 'shop.order.paid'
export const BILLING: GroupAddress = { name: PLACED, group: 'billing' }
export const MAILING: GroupAddress = { name: PLACED, group: 'mailing' }

export const message = (id: string, change: Partial<TransportMessage> = {}): TransportMessage => ({
  id,
  name: PLACED,
  version: 1,
  data: `{"id":"${id}"}`,
  publishedEpochMs: 1_767_225_600_000,
  attributes: { correlationid: id },
  ...change,
})

/** Makes, opens, runs, and always ends. */
export const onTransport =
  (run: (stand: TransportStand) => Promise<void>, bounds: TransportBounds = {}) =>
  async (make: MakeTransport): Promise<void> => {
    const stand = await make(bounds)
    try {
      await stand.transport.open()
      await run(stand)
    } finally {
      await stand.transport.close()
      await stand.close()
    }
  }

/** The results of a publish as words. */
export async function published({ transport }: TransportStand, ...messages: readonly TransportMessage[]): Promise<string[]> {
  return (await transport.publish(messages)).map((verdict) =>
    verdict.result === 'confirmed' ? 'confirmed' : `${verdict.result} ${verdict.error.code}`,
  )
}

/** A subscription, and all it was given. */
export interface Taker {
  readonly subscription: TransportSubscription
  readonly got: Delivery[]
  /** Settles deliveries that it got, all alike. */
  settle(as: 'ack' | 'release', ...deliveries: readonly (Delivery | undefined)[]): Promise<readonly string[]>
}

export async function taker(
  stand: TransportStand,
  address: GroupAddress,
  credits: number,
  options: Partial<SubscribeOptions> = {},
): Promise<Taker> {
  const got: Delivery[] = []
  const subscription = await stand.transport.subscribe(address, { deliver: (deliveries) => void got.push(...deliveries), ...options })
  subscription.credit(credits)
  return {
    subscription,
    got,
    settle: (as, ...deliveries) =>
      subscription.settle(deliveries.filter((each) => each !== undefined).map((delivery) => ({ delivery, as }))),
  }
}

const ROUNDS = 400
/** Long enough for anything that should not come to have come. */
const QUIET_MS = 25

export const ids = (got: readonly Delivery[]): string[] => got.map(({ message }) => message.id)

/** Waits until so many deliveries have come, and a little longer; then compares their ids. */
export async function gets(what: string, stand: TransportStand, { got }: Taker, expected: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS && got.length < expected.length; round++) await stand.passMs(5)
  await stand.passMs(QUIET_MS)
  same(what, ids(got), expected)
}
