// Wrote orders.ndjson, once. It gives the same file every time: `npx esbuild generate-orders.ts --bundle --platform=node | node - > orders.ndjson`
import type { Order } from './order.ts'
import { draw } from './random.ts'

const ORDERS = 300
const PRICES_CENTS = { mug: 1_200, teapot: 3_400, kettle: 4_900, strainer: 650, 'green-tea': 890, 'black-tea': 790 } as const
const SKUS = Object.keys(PRICES_CENTS) as (keyof typeof PRICES_CENTS)[]

type Trouble = 'sold-out' | 'island' | 'fog' | 'declined' | 'none'

/** One order in twenty is out of stock, one in twenty cannot be delivered, two in twenty are not paid for; a few meet the fog. */
function troubleOf(index: number): Trouble {
  // Not among the last: their late effects come seconds after everything else has ended.
  if (index % 40 === 17 && index < 200) return 'fog'
  return (['sold-out', 'island', 'declined', 'declined'] as const)[Math.floor(draw('trouble', index) * 20)] ?? 'none'
}

function orderAt(index: number): Order {
  const trouble = troubleOf(index)
  const items = Array.from({ length: 1 + Math.floor(draw('lines', index) * 3) }, (_, line) => {
    const sku = SKUS[Math.floor(draw('sku', index, line) * SKUS.length)] ?? 'mug'
    return { sku, quantity: 1 + Math.floor(draw('quantity', index, line) * 3) }
  })
  const totalCents = items.reduce((sum, { sku, quantity }) => sum + PRICES_CENTS[sku] * quantity, 0)
  const zone = draw('zone', index) < 0.6 ? 'city' : 'country'
  return {
    id: `order-${String(index + 1).padStart(3, '0')}`,
    items: trouble === 'sold-out' ? [...items, { sku: 'last-years-calendar', quantity: 1 }] : items,
    totalCents,
    card: trouble === 'declined' ? 'tok_declined' : 'tok_ok',
    zone: trouble === 'island' || trouble === 'fog' ? trouble : zone,
  }
}

for (let index = 0; index < ORDERS; index += 1) console.log(JSON.stringify(orderAt(index)))
