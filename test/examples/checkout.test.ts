import { describe, expect, test } from 'vitest'
import { type Evidence, prove } from '../../examples/checkout/driver/proofs.ts'
import type { Order } from '../../examples/checkout/order.ts'
import { FAULTS_IN_A_ROW_MAX, faultOf, outageOf } from '../../examples/checkout/participants/faults.ts'
import { KeyedEffects } from '../../examples/checkout/participants/keyed-effects.ts'
import type { Action, Ledger, LedgerLine } from '../../examples/checkout/participants/ledger.ts'
import { draw } from '../../examples/checkout/random.ts'

const order = (id: string): Order => ({ id, items: [{ sku: 'mug', quantity: 2 }], totalCents: 2_400, card: 'tok_ok', zone: 'city' })

const AMOUNTS: Readonly<Record<Action, number>> = { reserve: 2, book: 1, charge: 2_400, ship: 1 }
const SERVICES = { reserve: 'inventory', book: 'shipping', charge: 'payment', ship: 'shipping' } as const

let tick = 0
const line = (id: string, event: LedgerLine['event'], action: Action, change: Partial<LedgerLine> = {}): LedgerLine => {
  tick += 1
  return {
    atEpochMs: tick,
    service: SERVICES[action],
    event,
    action,
    order: id,
    key: `${id}/${action}`,
    amount: AMOUNTS[action],
    ...change,
  }
}

const complete = (id: string) => (['reserve', 'book', 'charge', 'ship'] as const).map((action) => line(id, 'effect', action))
const compensated = (id: string) => [
  line(id, 'effect', 'reserve'),
  line(id, 'effect', 'book'),
  line(id, 'declined', 'charge'),
  line(id, 'undo', 'book'),
  line(id, 'undo', 'reserve'),
]

/** One complete order `a`, one compensated order `b`. */
const sound = (): Evidence => ({
  orders: [order('a'), order('b')],
  ledger: [...complete('a'), ...compensated('b')],
  sagas: new Map([
    ['a', 'done'],
    ['b', 'undone'],
  ]),
  view: new Map([
    ['a', 'complete'],
    ['b', 'undone'],
  ]),
  interrupted: [3, 4],
})

const failedClaims = (change: Partial<Evidence>) =>
  prove({ ...sound(), ...change })
    .filter(({ violations }) => violations.length > 0)
    .map(({ claim }) => claim)

const withLedger = (a: readonly LedgerLine[], b: readonly LedgerLine[] = compensated('b')) => failedClaims({ ledger: [...a, ...b] })

describe('the proofs of the checkout demo', () => {
  test('hold for a complete and a compensated order', () => {
    expect(failedClaims({})).toEqual([])
  })

  test('find a charge that happened twice', () => {
    expect(withLedger([...complete('a'), line('a', 'effect', 'charge')])).toEqual([
      'every order is either complete or fully compensated',
      'no charge is doubled, every amount is right',
      'stock and money add up',
    ])
  })

  test('find a charge of the wrong amount', () => {
    const ledger = complete('a').map((entry) => (entry.action === 'charge' ? { ...entry, amount: 1 } : entry))
    expect(withLedger(ledger)).toEqual(['no charge is doubled, every amount is right', 'stock and money add up'])
  })

  test('find a reservation of too many pieces', () => {
    const ledger = complete('a').map((entry) => (entry.action === 'reserve' ? { ...entry, amount: 3 } : entry))
    expect(withLedger(ledger)).toEqual(['stock and money add up'])
  })

  test('find a reservation that was never given back', () => {
    const ledger = compensated('b').filter(({ event, action }) => !(event === 'undo' && action === 'reserve'))
    expect(withLedger(complete('a'), ledger)).toContain('every order is either complete or fully compensated')
  })

  test('find a reservation that was made and given back twice', () => {
    const ledger = [...compensated('b'), line('b', 'effect', 'reserve'), line('b', 'undo', 'reserve')]
    expect(withLedger(complete('a'), ledger)).toContain('every order is either complete or fully compensated')
  })

  test('find an order that reached nobody', () => {
    expect(failedClaims({ orders: [...sound().orders, order('c')], sagas: new Map([...sound().sagas, ['c', 'done']]) })).toContain(
      'nothing is stuck or in flight, and every saga ended as the ledgers say',
    )
  })

  test('find a parcel that nobody paid for', () => {
    expect(withLedger(complete('a').filter(({ action }) => action !== 'charge'))).toContain(
      'nothing is shipped without a charge, nothing charged without a shipment',
    )
  })

  test('find a charge for a parcel that was never sent', () => {
    expect(withLedger(complete('a').filter(({ action }) => action !== 'ship'))).toContain(
      'nothing is shipped without a charge, nothing charged without a shipment',
    )
  })

  test('find a parcel that was sent before it was paid', () => {
    const ledger = complete('a').map((entry) => (entry.action === 'charge' ? { ...entry, atEpochMs: tick + 100 } : entry))
    expect(withLedger(ledger)).toEqual(['nothing is shipped without a charge, nothing charged without a shipment'])
  })

  test.each(['undo', 'tombstone'] as const)('find an effect that came after its %s', (event) => {
    const ledger = [line('b', 'effect', 'reserve'), line('b', event, 'book'), line('b', 'effect', 'book'), line('b', 'undo', 'reserve')]
    expect(withLedger(complete('a'), ledger)).toContain('no effect happened after its compensation')
  })

  test('accept a late effect that was refused', () => {
    const ledger = [
      line('b', 'effect', 'reserve'),
      line('b', 'tombstone', 'book'),
      line('b', 'undo', 'reserve'),
      line('b', 'refused', 'book'),
    ]
    expect(withLedger(complete('a'), ledger)).toEqual([])
  })

  test('find compensations in the wrong order', () => {
    const ledger = [line('b', 'effect', 'reserve'), line('b', 'effect', 'book'), line('b', 'undo', 'reserve'), line('b', 'undo', 'book')]
    expect(withLedger(complete('a'), ledger)).toEqual(['compensations ran in reverse order'])
  })

  test('find an effect for an order that nobody placed', () => {
    expect(withLedger([...complete('a'), line('stranger', 'declined', 'reserve')])).toEqual(['stock and money add up'])
  })

  test.each(['running', 'undoing', 'stuck', 'undone'])('find a saga that is %s though its order is complete', (state) => {
    expect(failedClaims({ sagas: new Map([...sound().sagas, ['a', state]]) })).toEqual([
      'nothing is stuck or in flight, and every saga ended as the ledgers say',
    ])
  })

  test('find a saga that is stuck with an order that is neither complete nor compensated', () => {
    const ledger = [line('b', 'effect', 'reserve')]
    const claims = failedClaims({ ledger: [...complete('a'), ...ledger], sagas: new Map([...sound().sagas, ['b', 'stuck']]) })
    expect(claims).toContain('nothing is stuck or in flight, and every saga ended as the ledgers say')
  })

  test('find a read model that shows something else', () => {
    expect(failedClaims({ view: new Map([...sound().view, ['b', 'accepted']]) })).toEqual(['the read model agrees with the ledgers'])
  })

  test.each([[[]], [[3]], [[3, 0]]])('find kills that interrupted %j', (interrupted) => {
    expect(failedClaims({ interrupted })).toEqual(['both kills hit sagas in flight'])
  })
})

describe('a participant of the checkout demo', () => {
  const effect = { action: 'book', order: 'a', key: 'k', amount: 1 } as const
  const done = { body: { id: 1 }, revert: () => {} }
  function open() {
    const events: string[] = []
    const ledger: Pick<Ledger, 'write'> = { write: ({ event }) => void events.push(event) }
    return { events, effects: new KeyedEffects(ledger) }
  }

  test('answers the same key with the first answer and has one effect', () => {
    const { events, effects } = open()
    const first = effects.perform(effect, () => done)
    expect(effects.perform(effect, () => ({ declined: 'no' }))).toBe(first)
    expect(events).toEqual(['effect', 'repeated'])
  })

  test('refuses an effect whose undo came first', () => {
    const { events, effects } = open()
    expect(effects.undo(effect).body).toEqual({ undone: false })
    expect(effects.perform(effect, () => done).status).toBe(410)
    expect(events).toEqual(['tombstone', 'refused'])
  })

  test('undoes once, and refuses the effect from then on', () => {
    const { events, effects } = open()
    effects.perform(effect, () => done)
    expect([effects.undo(effect).body, effects.undo(effect).body]).toEqual([{ undone: true }, { undone: false }])
    expect(effects.perform(effect, () => done).status).toBe(410)
    expect(events).toEqual(['effect', 'undo', 'refused'])
  })

  test('has nothing to undo for what it declined', () => {
    const { events, effects } = open()
    expect(effects.perform(effect, () => ({ declined: 'no' }))).toEqual({ status: 409, body: { reason: 'no' } })
    expect(effects.undo(effect).body).toEqual({ undone: false })
    expect(events).toEqual(['declined'])
  })
})

describe('the seeded trouble of the checkout demo', () => {
  const faults = (seed: number) => Array.from({ length: 300 }, (_, index) => faultOf(seed, 'payment', '/charge', `order-${index}`, 1).kind)

  test('is the same for the same seed and another for another', () => {
    expect(faults(1)).toEqual(faults(1))
    expect(faults(1)).not.toEqual(faults(2))
    expect(outageOf(1, 'payment')).toEqual(outageOf(1, 'payment'))
    expect(outageOf(1, 'payment')).not.toEqual(outageOf(2, 'payment'))
  })

  test('contains every kind', () => {
    expect(new Set(faults(1))).toEqual(new Set(['none', 'slow', 'error', 'lost-reply', 'late']))
  })

  test('ends: a request that was asked often enough goes through', () => {
    const late = Array.from({ length: 300 }, (_, index) => faultOf(1, 'payment', '/charge', `order-${index}`, FAULTS_IN_A_ROW_MAX + 1).kind)
    expect(new Set(late)).toEqual(new Set(['none']))
  })

  test('draws evenly from 0 to 1', () => {
    const tenths = new Array<number>(10).fill(0)
    for (let index = 0; index < 10_000; index += 1) {
      const tenth = Math.floor(draw('even', index) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    expect(Math.min(...tenths)).toBeGreaterThan(900)
    expect(Math.max(...tenths)).toBeLessThan(1_100)
  })
})
