// What a shop's page would show: a view of the orders, fed by events. It lives in memory and is filled again after a restart.
import { event, subscription } from 'holdfast'
import { z } from 'zod'

const key = ({ id }: { readonly id: string }) => id

export const OrderAccepted = event('shop.order.accepted', { schema: z.object({ id: z.string() }), key })
export const OrderCompleted = event('shop.order.completed', { schema: z.object({ id: z.string(), parcel: z.string() }), key })
export const OrderUndone = event('shop.order.undone', { schema: z.object({ id: z.string(), reason: z.string() }), key })

export const OrderStuck = event('shop.order.stuck', { schema: z.object({ id: z.string(), reason: z.string() }), key })

export interface OrderView {
  readonly state: 'accepted' | 'stuck' | 'complete' | 'undone'
  readonly parcel?: string
  readonly reason?: string
}

/** The view and what keeps it up to date. An event that comes twice, or late, changes nothing. */
export function readModel() {
  const orders = new Map<string, OrderView>()
  const end = (id: string, view: OrderView) => {
    const known = orders.get(id)
    if (known === undefined || known.state === 'accepted' || known.state === 'stuck') orders.set(id, view)
  }
  const group = 'read-model'
  return {
    orders,
    subscriptions: [
      subscription(OrderAccepted, {
        group,
        handle: async ({ data: { id } }) => {
          if (!orders.has(id)) orders.set(id, { state: 'accepted' })
        },
      }),
      subscription(OrderCompleted, { group, handle: async ({ data: { id, parcel } }) => end(id, { state: 'complete', parcel }) }),
      subscription(OrderStuck, { group, handle: async ({ data: { id, reason } }) => end(id, { state: 'stuck', reason }) }),
      subscription(OrderUndone, { group, handle: async ({ data: { id, reason } }) => end(id, { state: 'undone', reason }) }),
    ],
  }
}
