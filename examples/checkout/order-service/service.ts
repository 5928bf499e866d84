// The order service: a process that may be killed at any moment.
import type { AddressInfo } from 'node:net'
import express from 'express'
import { HoldfastError, holdfast } from 'holdfast'
import { healthRoutes, problemDetails, requestContext } from 'holdfast/express'
import { sqliteStorage } from 'holdfast/sqlite'
import type { Order } from '../order.ts'
import { checkout } from './checkout.ts'
import { outbound } from './outbound.ts'
import { OrderAccepted, OrderCompleted, OrderStuck, OrderUndone, readModel } from './read-model.ts'

const { DATABASE = '', INVENTORY_URL = '', PAYMENT_URL = '', SHIPPING_URL = '' } = process.env

const report = (event: string, details: object = {}) => console.log(JSON.stringify({ event, ...details }))
const onOpened = (dependency: string) => report('breaker-opened', { dependency })

const flow = checkout({
  inventory: outbound('inventory', INVENTORY_URL, onOpened),
  payment: outbound('payment', PAYMENT_URL, onOpened),
  shipping: outbound('shipping', SHIPPING_URL, onOpened),
})
const view = readModel()
const hf = holdfast({ service: 'orders', storage: sqliteStorage(DATABASE), sagas: [flow], subscriptions: view.subscriptions })

/** Tells the read model how an order ends. Asked again after each restart: the bus of this version lives in memory, the saga does not. */
async function follow(id: string): Promise<void> {
  try {
    const { parcel } = await hf.sagas.get(flow, id).result()
    await hf.bus.publish(OrderCompleted, { id, parcel })
  } catch (error) {
    // Anything else means that this process is stopping: the next one follows again.
    if (!(error instanceof HoldfastError)) return
    if (error.code === 'SAGA_UNDONE') await hf.bus.publish(OrderUndone, { id, reason: error.message })
    if (error.code === 'SAGA_STUCK') await hf.bus.publish(OrderStuck, { id, reason: error.message })
  }
}

/** Fills the read model from the journal: every order ever accepted, ended or not. */
async function refill(): Promise<void> {
  let orders = 0
  for (let afterId: string | undefined; ; ) {
    const page = await hf.sagas.list({ saga: 'checkout', limit: 500, ...(afterId !== undefined && { afterId }) })
    for (const { id } of page) {
      await hf.bus.publish(OrderAccepted, { id })
      void follow(id)
    }
    orders += page.length
    afterId = page.at(-1)?.id
    if (page.length < 500) break
  }
  report('refilled', { orders })
}

const app = express()
app.use(requestContext(), healthRoutes(hf), express.json({ limit: '16kb' }))

app.post('/orders', async (request, response) => {
  const order = request.body as Order // what it really is, start() checks against the saga's schema
  const handle = await hf.sagas.start(flow, order, { id: order.id }) // durable from here on; the same id again is the same saga
  await hf.bus.publish(OrderAccepted, { id: handle.id })
  void follow(handle.id)
  response.status(202).json({ id: handle.id })
})

app.get('/orders', (_, response) => {
  response.json(Object.fromEntries(view.orders))
})

app.use(problemDetails())

await hf.start() // finishes what a crash left behind
await refill()
const server = app.listen(0, '127.0.0.1', () => report('listening', { port: (server.address() as AddressInfo).port }))
hf.stopOn(['SIGTERM', 'SIGINT'], { drainMs: 5_000, servers: [server] })

// The demo's own: an order service whose parent is gone goes too.
process.stdin.resume().once('end', () => process.exit())
process.stdin.unref()
