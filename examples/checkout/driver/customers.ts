import { policies, retry, timeout } from 'holdfast'
import type { Order } from '../order.ts'
import { drawBetween } from '../random.ts'
import type { Shop } from './shop.ts'
import { sleep, until } from './waiting.ts'

export interface Customers {
  readonly accepted: number
  /** How often an order had to be sent again, because the order service was not there or did not answer. */
  readonly repeats: number
  /** Resolves when every order has been accepted. */
  readonly served: Promise<void>
}

const GAP_MS = [30, 70] as const
/** On a slow machine customers hold back: more than this many are never waiting for an answer, nor for the end of their order. */
const WAITING_MAX = 20
const OPEN_MAX = 60

/** Sends the orders one after the other with short gaps, each until it is accepted: always with the same id, so it is always the same saga. */
export function placeOrders(orders: readonly Order[], seed: number, shop: Shop): Customers {
  const patience = policies(retry({ attempts: 200, delayMs: 100, delayMaxMs: 400 }), timeout({ timeoutMs: 3_000 }))
  let sent = 0
  let accepted = 0
  let repeats = 0

  const place = (order: Order) =>
    patience.run(async ({ signal, attempt }) => {
      if (attempt > 1) repeats += 1
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${shop.url}/orders`, { method: 'POST', headers, body: JSON.stringify(order), signal })
      if (response.status !== 202) throw new Error(`POST /orders answers ${response.status}: ${await response.text()}`)
      await response.arrayBuffer()
      accepted += 1
    })

  async function placeAll(): Promise<void> {
    const placed: Promise<void>[] = []
    for (const order of orders) {
      await until(() => sent - accepted < WAITING_MAX && shop.open.length < OPEN_MAX)
      sent += 1
      placed.push(place(order))
      await sleep(drawBetween(...GAP_MS, seed, 'gap', order.id))
    }
    await Promise.all(placed)
  }

  const served = placeAll()
  return {
    get accepted() {
      return accepted
    },
    get repeats() {
      return repeats
    },
    served,
  }
}
