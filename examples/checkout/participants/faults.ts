import { draw, drawBetween } from '../random.ts'
import type { Service } from './ledger.ts'

/** What goes wrong with one request, chosen by the seed, the order, the action and how often it was asked: never by the time. */
export interface Fault {
  /** `error`: 500 and no effect. `lost-reply`: the effect happens, then the connection breaks. `late`: the effect comes after the caller's patience. */
  readonly kind: 'none' | 'slow' | 'error' | 'lost-reply' | 'late'
  /** Waited before anything happens. */
  readonly delayMs: number
}

/** How many times in a row one request may meet a fault; the next one goes through. */
export const FAULTS_IN_A_ROW_MAX = 3

const SHARES = [
  { kind: 'error', share: 0.06 },
  { kind: 'lost-reply', share: 0.06 },
  { kind: 'late', share: 0.02 },
  { kind: 'slow', share: 0.1 },
] as const

const DELAYS_MS = { none: [40, 110], slow: [150, 280], error: [10, 60], 'lost-reply': [40, 110], late: [1_000, 1_500] } as const

export function faultOf(seed: number, service: Service, request: string, order: string, nth: number): Fault {
  const kind = nth > FAULTS_IN_A_ROW_MAX ? 'none' : kindAt(draw(seed, service, request, order, nth, 'kind'))
  const [min, max] = DELAYS_MS[kind]
  return { kind, delayMs: Math.round(drawBetween(min, max, seed, service, request, order, nth, 'delay')) }
}

function kindAt(chance: number): Fault['kind'] {
  let below = 0
  for (const { kind, share } of SHARES) {
    below += share
    if (chance < below) return kind
  }
  return 'none'
}

/** When a service is down altogether (503 to everybody), in milliseconds from the first order. */
export interface Outage {
  readonly fromMs: number
  readonly untilMs: number
}

const OUTAGES_FROM_MS: Readonly<Record<Service, number>> = { inventory: 2_000, payment: 6_000, shipping: 10_000 }

export function outageOf(seed: number, service: Service): Outage {
  const fromMs = Math.round(OUTAGES_FROM_MS[service] + drawBetween(0, 2_000, seed, service, 'outage from'))
  return { fromMs, untilMs: fromMs + Math.round(drawBetween(900, 1_400, seed, service, 'outage length')) }
}
