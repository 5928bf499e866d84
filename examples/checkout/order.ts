import { z } from 'zod'

/** What a customer sends to `POST /orders`; one line of orders.ndjson. */
export const Order = z.object({
  id: z.string().min(1).max(40),
  items: z
    .array(z.object({ sku: z.string().min(1), quantity: z.int().min(1).max(100) }))
    .min(1)
    .max(20),
  totalCents: z.int().min(1),
  /** `tok_declined` is a card that its bank refuses. */
  card: z.enum(['tok_ok', 'tok_declined']),
  /** `island`: no courier goes there. `fog`: the courier's booking system never answers in time. */
  zone: z.enum(['city', 'country', 'island', 'fog']),
})

export type Order = z.infer<typeof Order>

/** How many pieces an order asks for. */
export const unitsOf = (order: Pick<Order, 'items'>): number => order.items.reduce((sum, { quantity }) => sum + quantity, 0)
