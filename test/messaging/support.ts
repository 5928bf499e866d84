// A started bus on a memory transport under virtual time, and everything its handlers saw.
import { z } from 'zod'
import { type MemoryTransportOptions, memoryTransport } from '../../src/adapters/memory/index.ts'
import type { Context } from '../../src/core/context.ts'
import {
  type EventBus,
  type EventBusOptions,
  event,
  eventBus,
  type Message,
  type Subscription,
  type SubscriptionOptions,
  subscription,
} from '../../src/messaging/index.ts'
import type { Transport } from '../../src/ports/transport.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'

export const Order = z.object({ orderId: z.string(), total: z.number() })
export type Order = z.infer<typeof Order>
export const OrderPlaced = event('shop.order.placed', { schema: Order, key: (order) => order.orderId })
/** The same without a key. */
export const OrderSeen = event('shop.order.seen', { schema: Order })

export interface Seen {
  readonly message: Message<Order>
  readonly ctx: Context
}

export interface Rig {
  readonly bus: EventBus
  readonly clock: TestClock
  readonly transport: Transport
  stop(drainMs?: number): Promise<void>
}

type RigOptions = Partial<Omit<EventBusOptions, 'subscriptions'>> & { readonly clock?: TestClock; readonly bounds?: MemoryTransportOptions }

/** Not yet started. `random` is 0 unless given: delays are half their ceiling. */
export function idleRig(subscriptions: readonly Subscription[], options: RigOptions = {}): Rig {
  const { clock = testClock(), bounds, ...rest } = options
  const transport = rest.transport ?? memoryTransport({ clock, ...bounds })
  const bus = eventBus({ random: () => 0, ...rest, transport, clock, subscriptions })
  return { bus, clock, transport, stop: (drainMs = 1_000) => bus.stop({ drainMs }) }
}

export async function rig(subscriptions: readonly Subscription[], options: RigOptions = {}): Promise<Rig> {
  const made = idleRig(subscriptions, options)
  await made.bus.start()
  return made
}

/** A subscription that notes what it is given, then does as `handle` says. */
export function noting(options: Partial<SubscriptionOptions<Order>> & { readonly event?: typeof OrderPlaced } = {}): {
  readonly seen: Seen[]
  readonly subscription: Subscription
} {
  const { event = OrderPlaced, handle, ...rest } = options
  const seen: Seen[] = []
  return {
    seen,
    subscription: subscription(event, {
      group: 'billing',
      ...rest,
      handle: async (message, ctx) => {
        seen.push({ message, ctx })
        await handle?.(message, ctx)
      },
    }),
  }
}

export const order = (orderId: string, total = 1): Order => ({ orderId, total })

/** A promise and the ways to settle it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void; fail(error: unknown): void } {
  let open: (value: T) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const opened = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  // A gate may fail before anybody stands at it.
  opened.catch(() => {})
  return { opened, open: (value) => open(value), fail: (error) => fail(error) }
}

/** What a promise rejects with. */
export async function rejection(
  work: Promise<unknown>,
): Promise<Error & { code?: string; effect?: string; retry?: string; details?: unknown }> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}
