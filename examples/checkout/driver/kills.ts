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

/** Kills the order service once enough is in flight, looks at what it left behind, and starts it again. */
export async function killOnce(shop: Shop, customers: Customers, after: number, screen: Screen): Promise<Kill> {
  await until(() => customers.accepted >= after)
  await until(() => shop.open.length >= IN_FLIGHT_MIN)
  const pid = shop.pid
  const atEpochMs = Date.now()
  await shop.end('SIGKILL')
  screen.say(yellow(`KILL      order service (pid ${pid}) killed with SIGKILL after ${customers.accepted} accepted orders`))
  const left = await shop.unfinished()
  const interrupted = left.map(({ id }) => id)
  screen.say(yellow(`          its journal holds ${left.length} unfinished sagas: ${whereabouts(left.map(({ step }) => step))}`))
  await sleep(DOWN_MS)
  const restartedMs = performance.now()
  await shop.start()
  const inMs = Math.round(performance.now() - restartedMs)
  screen.say(yellow(`RESTART   order service (pid ${shop.pid}) ready again after ${inMs} ms`))
  void sayWhenFinished(shop, interrupted, restartedMs, screen)
  return { atEpochMs, interrupted }
}

/** `3 at reserve, 5 at charge` */
function whereabouts(steps: readonly string[]): string {
  const counts = new Map<string, number>(['the start', 'reserve', 'book', 'charge', 'ship'].map((step) => [step, 0]))
  for (const step of steps) counts.set(step, (counts.get(step) ?? 0) + 1)
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([step, count]) => `${count} at ${step}`)
    .join(', ')
}

async function sayWhenFinished(shop: Shop, ids: readonly string[], sinceMs: number, screen: Screen): Promise<void> {
  const pid = shop.pid
  let waiting = ids.length
  await until(() => {
    if (shop.pid !== pid || !shop.isUp) return true
    const open = new Set(shop.open)
    waiting = ids.filter((id) => open.has(id)).length
    return waiting === 0
  }, 50)
  const after = `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s after the restart`
  const whatElse = waiting === 0 ? '' : `, ${waiting} still at it`
  screen.say(yellow(`RECOVERED ${ids.length - waiting} of the ${ids.length} interrupted sagas have ended ${after}${whatElse}`))
}
