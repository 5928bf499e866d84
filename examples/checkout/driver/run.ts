import { join } from 'node:path'
import type { Order } from '../order.ts'
import { temporaryFolder } from './children.ts'
import { type Customers, placeOrders } from './customers.ts'
import { type Kill, killOnce, killPoints } from './kills.ts'
import type { Options } from './options.ts'
import { type Participants, SERVICES, startParticipants } from './participants.ts'
import type { Evidence } from './proofs.ts'
import { dim, type Screen } from './screen.ts'
import { Shop } from './shop.ts'
import { sleep, until } from './waiting.ts'

export interface Result {
  readonly evidence: Evidence
  readonly kills: readonly Kill[]
  readonly participants: Participants
  readonly shop: Shop
}

const RUN_MAX_MS = 110_000

/** Places the orders, kills and restarts the order service, and collects what is left when everything has ended. */
export async function run(options: Options, orders: readonly Order[], screen: Screen): Promise<Result> {
  const folder = temporaryFolder()
  const participants = await startParticipants(folder, options)
  const shop = new Shop(join(folder, 'orders.db'), participants.url)
  await shop.start()
  for (const service of SERVICES) screen.say(dim(`${service.padEnd(9)} pid ${participants.pid[service]}, ${participants.url[service]}`))
  screen.say(dim(`orders    pid ${shop.pid}, ${shop.url}, sagas in SQLite`))
  await participants.open()
  const customers = placeOrders(orders, options.seed, shop)
  const kills = await Promise.race([toTheEnd(options, orders, shop, customers, screen), expiry(shop)])
  return { evidence: await collect(orders, kills, shop, participants, screen), kills, participants, shop }
}

/** From the first order until every saga has ended. */
async function toTheEnd(options: Options, orders: readonly Order[], shop: Shop, customers: Customers, screen: Screen) {
  const stopShowing = showProgress(shop, customers, orders.length, screen)
  try {
    const kills: Kill[] = []
    for (const after of killPoints(options.seed, orders.length)) kills.push(await killOnce(shop, customers, after, screen))
    await customers.served
    screen.say(`all ${orders.length} orders are accepted; customers had to send again ${customers.repeats} times, always with the same id`)
    await until(() => shop.view.size === orders.length && shop.open.length === 0)
    return kills
  } finally {
    stopShowing()
  }
}

/** What is left: ledgers, read model, journal. */
async function collect(
  orders: readonly Order[],
  kills: readonly Kill[],
  shop: Shop,
  participants: Participants,
  screen: Screen,
): Promise<Evidence> {
  const pending = Object.values(await participants.stats()).reduce((sum, stats) => sum + stats.pending, 0)
  screen.say(`every saga has ended; ${pending} late requests are still under way inside the services: waiting to see them refused`)
  await participants.idle()
  const view = new Map([...(await shop.look())].map(([id, { state }]) => [id, state]))
  const how = await shop.end('SIGTERM')
  screen.say(`order service stopped with SIGTERM: ${how === 0 ? 'drained and left with exit code 0' : `ended with ${how}`}`)
  const interrupted = kills.map((kill) => kill.interrupted.length)
  return { orders, ledger: participants.ledger(), sagas: await shop.journal(), view, interrupted }
}

async function expiry(shop: Shop): Promise<never> {
  await sleep(RUN_MAX_MS, undefined, { ref: false })
  const open = shop.isUp ? `${shop.open.length} orders are open (${shop.open.slice(0, 5).join(', ')} …)` : 'the order service is down'
  throw new Error(`not everything had ended after ${RUN_MAX_MS / 1_000} s: ${open}`)
}

/** Keeps the live line up to date until the returned function is called. */
function showProgress(shop: Shop, customers: Customers, total: number, screen: Screen): () => void {
  return screen.follow(() => {
    const counts = { accepted: 0, complete: 0, undone: 0, stuck: 0 }
    for (const { state } of shop.view.values()) counts[state] += 1
    const state = shop.isUp ? `${String(counts.accepted).padStart(3)} in flight` : 'order service down'
    const stuck = counts.stuck === 0 ? '' : ` · ${counts.stuck} stuck`
    const accepted = `${String(customers.accepted).padStart(3)}/${total} accepted`
    return `${accepted} · ${state} · ${String(counts.complete).padStart(3)} complete · ${counts.undone} undone${stuck}`
  })
}
