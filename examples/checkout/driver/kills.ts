import { drawBetween } from '../random.ts'
import type { Customers } from './customers.ts'
import { type Screen, yellow } from './screen.ts'
import type { Shop } from './shop.ts'
import { sleep, until } from './waiting.ts'

export interface Kill {
  readonly atEpochMs: number
  /** The sagas that were under way, as the journal has them. */
  readonly interrupted: readonly string[]
}

/** A kill that hits nobody proves nothing: it waits for this many. */
const IN_FLIGHT_MIN = 8
const DOWN_MS = 700

/** After how many accepted orders the order service is killed. */
export const killPoints = (seed: number, orders: number): readonly number[] =>
  [
    [0.25, 0.35],
    [0.6, 0.7],
  ].map(([from = 0, to = 0], index) => Math.round(orders * drawBetween(from, to, seed, 'kill', index)))

const unfinished = (journal: ReadonlyMap<string, string>) =>
  [...journal].filter(([, state]) => state !== 'done' && state !== 'undone').map(([id]) => id)

/** Kills the order service once enough is in flight, looks at what it left behind, and starts it again. */
export async function killOnce(shop: Shop, customers: Customers, after: number, screen: Screen): Promise<Kill> {
  await until(() => customers.accepted >= after)
  await until(async () => ((await shop.openOrders()) ?? []).length >= IN_FLIGHT_MIN, 10)
  const pid = shop.pid
  const atEpochMs = Date.now()
  await shop.end('SIGKILL')
  screen.say(yellow(`KILL      order service (pid ${pid}) killed with SIGKILL after ${customers.accepted} accepted orders`))
  const interrupted = unfinished(await shop.journal())
  screen.say(yellow(`          its journal holds ${interrupted.length} unfinished sagas: ${await whereabouts(shop, interrupted)}`))
  await sleep(DOWN_MS)
  const restartedMs = performance.now()
  await shop.start()
  const inMs = Math.round(performance.now() - restartedMs)
  screen.say(yellow(`RESTART   order service (pid ${shop.pid}) ready again after ${inMs} ms`))
  void sayWhenFinished(shop, interrupted, restartedMs, screen)
  return { atEpochMs, interrupted }
}

/** `3 at reserve, 5 at charge, 1 undoing book` */
async function whereabouts(shop: Shop, ids: readonly string[]): Promise<string> {
  const counts = new Map<string, number>(['the start', 'reserve', 'book', 'charge', 'ship'].map((step) => [step, 0]))
  for (const step of await shop.lastSteps(ids)) counts.set(step, (counts.get(step) ?? 0) + 1)
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([step, count]) => `${count} at ${step}`)
    .join(', ')
}

async function sayWhenFinished(shop: Shop, ids: readonly string[], sinceMs: number, screen: Screen): Promise<void> {
  const pid = shop.pid
  let waiting = ids.length
  await until(async () => {
    const answer = await shop.openOrders()
    if (shop.pid !== pid || !shop.isUp) return true
    if (answer === undefined) return false
    const open = new Set(answer)
    waiting = ids.filter((id) => open.has(id)).length
    return waiting === 0
  }, 100)
  const after = `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s after the restart`
  const whatElse = waiting === 0 ? '' : `, ${waiting} still at it`
  screen.say(yellow(`RECOVERED ${ids.length - waiting} of the ${ids.length} interrupted sagas have ended ${after}${whatElse}`))
}
