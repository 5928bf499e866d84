// The saga: reserve the pieces, book a courier, charge the card, send the parcel off.
import { saga } from 'holdfast'
import { Order } from '../order.ts'
import type { Post } from './outbound.ts'

export interface Services {
  readonly inventory: Post
  readonly payment: Post
  readonly shipping: Post
}

export const checkout = ({ inventory, payment, shipping }: Services) =>
  saga('checkout', { version: 1, input: Order })
    .step('reserve', {
      run: ({ input }, ctx) => inventory<{ reserved: number }>('/reserve', { order: input.id, items: input.items }, ctx),
      // Also called when the reply was lost: the key says what to undo, whether or not it ever arrived.
      undo: ({ input }, ctx) => inventory('/reserve/undo', { order: input.id, items: input.items, undoes: ctx.undoes.idempotencyKey }, ctx),
      retry: { attempts: 4, delayMs: 300 },
    })
    .step('book', {
      run: ({ input }, ctx) => shipping<{ id: string }>('/book', { order: input.id, zone: input.zone }, ctx),
      undo: ({ input }, ctx) => shipping('/book/undo', { order: input.id, undoes: ctx.undoes.idempotencyKey }, ctx),
      retry: { attempts: 3, delayMs: 300 },
    })
    // The point of no return. A card that is declined has no effect: then the booking and the reservation are undone.
    .pivot('charge', {
      run: ({ input }, ctx) =>
        payment<{ id: string }>('/charge', { order: input.id, card: input.card, amountCents: input.totalCents }, ctx),
      retry: { attempts: 20, delayMs: 100, delayMaxMs: 1_000 }, // after these a saga is parked as stuck, for an operator to look at
    })
    // From here on there is only forward: tried again until it is done.
    .step('ship', {
      run: ({ input, book }, ctx) => shipping<{ parcel: string }>('/ship', { order: input.id, booking: book.id }, ctx),
      retry: { delayMs: 100, delayMaxMs: 1_000 },
    })
    .returns(({ charge, ship }) => ({ payment: charge.id, parcel: ship.parcel }))
