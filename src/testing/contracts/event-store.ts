import { appendCases } from './event-store-append.ts'
import { conditionCases } from './event-store-condition.ts'
import { heldCases } from './event-store-held.ts'
import { joinCases } from './event-store-join.ts'
import { keyCases } from './event-store-keys.ts'
import { lifeCases } from './event-store-life.ts'
import { malformedCases } from './event-store-malformed.ts'
import { orderCases } from './event-store-order.ts'
import { readCases } from './event-store-read.ts'
import { removeCases } from './event-store-remove.ts'
import type { EventStoreCase } from './event-store-stand.ts'
import { subscribeCases } from './event-store-subscribe.ts'

export {
  type EventStoreCase,
  type EventStoreNeed,
  type EventStoreStand,
  type MakeEventStore,
  type StandTransaction,
  standTransaction,
} from './event-store-stand.ts'

/**
 * What every `EventStore` has to show, as data for any test runner: each case names the promise of the port that it cites, and some what
 * they need of an engine.
 *
 * Promise 7, and durability through a killed process, are the adapter's own tests, as are isolation levels and its own errors.
 *
 * @example
 * ```ts
 * const cannot: Partial<Record<EventStoreNeed, string>> = { others: 'an open transaction holds up every write' }
 * for (const { promise, name, needs, run } of eventStoreContract) {
 *   if (needs === undefined || cannot[needs] === undefined) test(`promise ${promise}: ${name}`, () => run(make))
 * }
 * ```
 */
export const eventStoreContract: readonly EventStoreCase[] = [
  ...appendCases,
  ...malformedCases,
  ...orderCases,
  ...keyCases,
  ...conditionCases,
  ...joinCases,
  ...heldCases,
  ...readCases,
  ...subscribeCases,
  ...removeCases,
  ...lifeCases,
]
