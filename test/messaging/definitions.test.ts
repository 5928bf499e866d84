import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { memoryTransport } from '../../src/adapters/memory/index.ts'
import { policies } from '../../src/core/policy.ts'
import { type EventDefinition, event, eventBus, type Message, subscription } from '../../src/messaging/index.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { retry } from '../../src/resilience/retry.ts'
import { type Order, OrderPlaced, OrderSeen } from './support.ts'

const schema = z.object({ orderId: z.string() })
const handle = async (): Promise<void> => {}
const refused = (code: string, text: string) =>
  expect.objectContaining({ code, effect: 'none', retry: 'never', message: expect.stringContaining(text) })

describe('event', () => {
  test('is data, of version 1 unless said otherwise', () => {
    expect(event('shop.order-placed', { schema })).toMatchObject({ kind: 'event', name: 'shop.order-placed', version: 1 })
    expect(event('a', { schema, version: 3 }).version).toBe(3)
  })

  test.each(['', '.a', 'a.', 'a..b', 'a b', 'order.*', 'ä', 'x'.repeat(201), 7])('refuses the name %j', (name) => {
    expect(() => event(name as string, { schema })).toThrow(refused('INVALID_OPTIONS', 'event: name must be'))
  })

  test.each([
    [{ schema: undefined }, 'schema must be a Standard Schema'],
    [{ schema: { parse: () => 1 } }, 'schema must be a Standard Schema'],
    [{ schema, key: 'orderId' }, 'key must be a function'],
    [{ schema, version: 0 }, 'version must be a whole number of at least 1, got 0'],
    [{ schema, keys: () => '' }, 'unknown option keys'],
  ])('refuses %j', (options, text) => {
    expect(() => event('a', options as never)).toThrow(refused('INVALID_OPTIONS', text))
  })
})

describe('subscription', () => {
  test('keeps the order of keys where the event has one', () => {
    expect(subscription(OrderPlaced, { group: 'g', handle }).ordered).toBe('by-key')
    expect(subscription(OrderPlaced, { group: 'g', ordered: 'none', handle }).ordered).toBe('none')
    expect(subscription(OrderSeen, { group: 'g', handle }).ordered).toBe('none')
  })

  test.each([
    [{ group: 'g' }, 'handle must be a function, got undefined'],
    [{ group: 'g', handle: 'x' }, 'handle must be a function, got "x"'],
    [{ handle }, 'group must be 1 to 100 letters'],
    [{ group: 'a b', handle }, 'group must be 1 to 100 letters'],
    [{ group: 'g', concurrent: 0, handle }, 'concurrent must be a whole number from 1 to 10000, got 0'],
    [{ group: 'g', ordered: 'yes', handle }, "ordered must be one of 'by-key', 'none'"],
    [{ group: 'g', retry: { attempts: 0 }, handle }, 'attempts must be a whole number of at least 1, got 0'],
    [{ group: 'g', retry: { tries: 2 }, handle }, 'unknown option tries'],
    [{ group: 'g', policy: {}, handle }, 'policy must be a policy'],
    [{ group: 'g', policy: () => handle, handle }, 'made by a policy factory'],
    [{ group: 'g', transaction: {}, handle }, 'unknown option transaction'],
  ])('refuses %j', (options, text) => {
    expect(() => subscription(OrderPlaced, options as never)).toThrow(refused('INVALID_OPTIONS', text))
  })

  test('refuses an order by key of an event that has none', () => {
    expect(() => subscription(OrderSeen, { group: 'g', ordered: 'by-key', handle })).toThrow(
      refused('INVALID_OPTIONS', "subscription g to shop.order.seen: ordered must be 'none'"),
    )
  })

  test('refuses something that is no event', () => {
    expect(() => subscription({ name: 'a' } as never, { group: 'g', handle })).toThrow(refused('INVALID_OPTIONS', 'made by event()'))
  })

  test('refuses a policy that contains a retry, wherever it stands in it', () => {
    const policy = policies(bulkhead({ concurrent: 1 }), retry({ attempts: 2 }))
    expect(() => subscription(OrderPlaced, { group: 'g', policy, handle })).toThrow(
      refused('RETRIES_TWICE', 'subscription g to shop.order.placed'),
    )
  })

  test('types what the handler is given', () => {
    subscription(OrderPlaced, {
      group: 'g',
      handle: (message) => {
        expectTypeOf(message).toEqualTypeOf<Message<Order>>()
      },
    })
    expectTypeOf(OrderPlaced).toExtend<EventDefinition<unknown>>()
    // @ts-expect-error a field the schema does not have
    event('a', { schema, key: (data) => data.nothing })
  })
})

describe('eventBus', () => {
  const transport = memoryTransport()

  test.each([
    [{}, 'transport must be a transport, got undefined'],
    [{ transport: {} }, 'transport must be a transport'],
    [{ transport, subscriptions: {} }, 'subscriptions must be a list'],
    [{ transport, subscriptions: [undefined] }, 'subscriptions[0] must be made by subscription(), got undefined'],
    [{ transport, subscriptions: [OrderPlaced] }, 'subscriptions[0] must be made by subscription()'],
    [{ transport, refusals: 0 }, 'refusals must be a whole number of at least 1, got 0'],
    [{ transport, held: 0 }, 'held must be a whole number of at least 1, got 0'],
    [{ transport, service: '' }, 'service must be a text'],
    [{ transport, logger: {} }, 'logger must be a logger'],
    [{ transport, retries: 1 }, 'unknown option retries'],
  ])('refuses %j', (options, text) => {
    expect(() => eventBus(options as never)).toThrow(refused('INVALID_OPTIONS', text))
  })

  test('refuses two subscriptions of one group to one event, and allows the group for another event', () => {
    const of = (event: typeof OrderPlaced) => subscription(event, { group: 'billing', handle })
    expect(() => eventBus({ transport, subscriptions: [of(OrderPlaced), of(OrderPlaced)] })).toThrow(
      refused('NAME_REUSED', 'two subscriptions to shop.order.placed are named billing'),
    )
    expect(eventBus({ transport, subscriptions: [of(OrderPlaced), of(OrderSeen)] }).name).toBe('bus')
  })

  test('types what is published', () => {
    const bus = eventBus({ transport })
    // @ts-expect-error total is missing
    const wrong = () => bus.publish(OrderPlaced, { orderId: 'a' })
    expectTypeOf(wrong).returns.toEqualTypeOf<Promise<{ readonly id: string }>>()
  })
})

describe('memoryTransport', () => {
  test.each([
    [{ queued: 0 }, 'queued must be a whole number from 1 to 10000000, got 0'],
    [{ full: 'drop' }, "full must be one of 'wait', 'refuse'"],
    [{ waitMaxMs: -1 }, 'waitMaxMs must be a number of at least 0, got -1'],
    [{ size: 1 }, 'unknown option size'],
  ])('refuses %j', (options, text) => {
    expect(() => memoryTransport(options as never)).toThrow(refused('INVALID_OPTIONS', text))
  })
})
