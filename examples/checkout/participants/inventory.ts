// The inventory service: takes pieces from the shelf and puts them back.
import { type Order, unitsOf } from '../order.ts'
import { type Body, participant } from './participant.ts'

const SHELF_AT_START = { mug: 2_000, teapot: 2_000, kettle: 2_000, strainer: 2_000, 'green-tea': 2_000, 'black-tea': 2_000 }
const shelf = new Map<string, number>(Object.entries(SHELF_AT_START))

const itemsOf = (body: Body) => body.items as Order['items']

function take(items: Order['items'], sign: 1 | -1): void {
  for (const { sku, quantity } of items) shelf.set(sku, (shelf.get(sku) ?? 0) - sign * quantity)
}

participant('inventory', {
  reserve: {
    amount: (body) => unitsOf({ items: itemsOf(body) }),
    run(body) {
      const items = itemsOf(body)
      const missing = items.find(({ sku, quantity }) => (shelf.get(sku) ?? 0) < quantity)
      if (missing !== undefined) return { declined: `out of stock: ${missing.sku}` }
      take(items, 1)
      return { body: { reserved: unitsOf({ items }) }, revert: () => take(items, -1) }
    },
  },
})
