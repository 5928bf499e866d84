import { describe, expect, expectTypeOf, test } from 'vitest'
import { memoryStorage, memoryTransport } from '../../src/adapters/memory/index.ts'
import { testHoldfast } from '../../src/app/testing.ts'
import {
  ambientContext,
  type Context,
  createContext,
  type Health,
  holdfast,
  policies,
  runAmbient,
  type SagaHandle,
  type Storage,
  subscription,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { moment } from '../integrations/http.ts'
import { checkout, type Done, OrderPlaced, readModel } from './orders.ts'

const order = { id: 'o1', items: ['a'] }

function setUp(done: Done = { log: [] }) {
  const flow = checkout(done)
  const hf = testHoldfast({ sagas: [flow], subscriptions: [readModel(done)] })
  return { hf, flow, done, log: done.log }
}

describe('an application', () => {
  test('runs sagas and carries events from start to stop', async () => {
    const { hf, flow, log } = setUp()
    await hf.start()
    const handle = await hf.sagas.start(flow, order, { id: 'o1' })
    expectTypeOf(handle).toEqualTypeOf<SagaHandle<{ reserved: string }>>()
    expect(await handle.result()).toEqual({ reserved: 'r-o1' })
    await hf.bus.publish(OrderPlaced, order)
    await hf.stop()
    expect(log).toEqual(['reserve o1', 'seen o1'])
  })

  test('answers NOT_STARTED before its start and after its stop', async () => {
    const { hf, flow, log } = setUp()
    const refused = async (): Promise<void> => {
      await expect(hf.bus.publish(OrderPlaced, order)).rejects.toMatchObject({
        code: 'NOT_STARTED',
        effect: 'none',
        message: expect.stringContaining('the bus is not started: await hf.start() first') as string,
      })
      await expect(hf.sagas.start(flow, order, { id: 'o1' })).rejects.toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
    }
    await refused()
    await hf.start()
    await hf.stop()
    await refused()
    expect(log).toEqual([])
  })

  test('finishes at its start what an earlier one on the same storage began', async () => {
    const gate = moment()
    const done: Done = { log: [], gate: gate.at }
    const flow = checkout(done)
    const clock = testClock()
    const storage = memoryStorage({ clock })
    const made = () => holdfast({ service: 'shop', storage, sagas: [flow], clock })
    const first = made()
    await first.start()
    await first.sagas.start(flow, order, { id: 'o1' })
    await clock.advance(0)
    await Promise.all([first.stop({ drainMs: 0 }), clock.advance(0)])
    expect(done.log).toEqual(['reserve o1'])
    gate.come()
    const second = made()
    await second.start()
    const result = second.sagas.get(flow, 'o1').result()
    await clock.advance(1_000)
    expect(await result).toEqual({ reserved: 'r-o1' })
    await second.stop()
    expect(clock.pending).toBe(0)
  })

  test('starts again after a stop', async () => {
    const { hf, flow } = setUp()
    await hf.start()
    await hf.stop()
    await hf.start()
    expect(await (await hf.sagas.start(flow, order, { id: 'o1' })).result()).toEqual({ reserved: 'r-o1' })
    await hf.stop()
  })

  test('waits within drainMs for what is in flight', async () => {
    const gate = moment()
    const { hf, log } = setUp({ log: [], gate: gate.at })
    await hf.start()
    await hf.bus.publish(OrderPlaced, order)
    await hf.clock.advance(0)
    let stopped = false
    const stopping = hf.stop({ drainMs: 1_000 }).then(() => {
      stopped = true
    })
    await hf.clock.advance(999)
    expect([stopped, log]).toEqual([false, ['seen o1']])
    gate.come()
    await stopping
  })

  test('does not wait longer than drainMs', async () => {
    const { hf } = setUp({ log: [], gate: new Promise(() => {}) })
    await hf.start()
    await hf.bus.publish(OrderPlaced, order)
    await hf.clock.advance(0)
    const stopping = hf.stop({ drainMs: 1_000 })
    await hf.clock.advance(1_000)
    await stopping
    expect((await hf.health()).ready).toBe(false)
  })

  test('makes contexts ambient from its start on, where asked to', async () => {
    const seen: Array<Context | undefined> = []
    const look = subscription(OrderPlaced, { group: 'look', handle: () => policies().run(() => void seen.push(ambientContext())) })
    const hf = testHoldfast({ ambient: true, subscriptions: [look] })
    expect(runAmbient(createContext(), ambientContext)).toBeUndefined()
    await hf.start()
    await hf.bus.publish(OrderPlaced, order)
    await hf.stop()
    expect(seen).toEqual([expect.objectContaining({ attempt: 1 })])
  })
})

describe('health', () => {
  const down: Health = {
    live: true,
    ready: false,
    parts: {
      storage: { status: 'down', reason: expect.any(String) as string },
      bus: { status: 'down', reason: expect.any(String) as string },
      sagas: { status: 'down', reason: expect.any(String) as string },
    },
  }

  test('is ready from start to stop, and live always', async () => {
    const { hf } = setUp()
    expect(await hf.health()).toEqual(down)
    await hf.start()
    expect(await hf.health()).toEqual({
      live: true,
      ready: true,
      parts: { storage: { status: 'ok' }, bus: { status: 'ok' }, sagas: { status: 'ok' } },
    })
    const stopping = hf.stop({ leaveMs: 100 })
    const { ready, parts } = await hf.health()
    expect([ready, parts.bus]).toEqual([false, { status: 'ok' }])
    await hf.clock.advance(100)
    await stopping
    expect(await hf.health()).toEqual(down)
  })

  const withHealth = async (health: Storage['health']) => {
    const clock = testClock()
    const hf = holdfast({ service: 'shop', storage: { ...memoryStorage({ clock }), health }, clock })
    await hf.start()
    return { clock, hf }
  }

  test('is down where the storage does not answer within a second', async () => {
    const { clock, hf } = await withHealth(() => new Promise(() => {}))
    const health = hf.health()
    await clock.advance(1_000)
    expect(await health).toMatchObject({ ready: false, parts: { storage: { status: 'down', reason: 'no answer within 1000 ms' } } })
  })

  test('is down where the storage fails to say', async () => {
    const { hf } = await withHealth(() => Promise.reject(new Error('disk full')))
    expect(await hf.health()).toMatchObject({ ready: false, parts: { storage: { status: 'down', reason: 'disk full' } } })
  })

  test('is ready with a part that is degraded', async () => {
    const { hf } = await withHealth(async () => ({ status: 'degraded', reason: 'slow' }))
    expect(await hf.health()).toMatchObject({ ready: true })
  })
})

describe('refuses', () => {
  const storage = memoryStorage()
  const flow = checkout({ log: [] })
  const refusal = (options: object): unknown => {
    try {
      return holdfast(options as never)
    } catch (error) {
      return error
    }
  }

  test.each<[string, object, RegExp]>([
    [
      'no storage',
      { service: 'shop' },
      /^holdfast: storage must be a storage, such as sqliteStorage\('.\/holdfast.db'\) or memoryStorage\(\), got undefined/,
    ],
    [
      'a storage without sagas',
      { service: 'shop', storage: { ...storage, sagaJournal: undefined } },
      /storage must be a storage that keeps sagas/,
    ],
    ['no service', { storage }, /service must be a text/],
    ['an unknown option', { service: 'shop', storage, saga: [] }, /unknown option saga \(did you mean sagas\?\)/],
    [
      'sagas that are none',
      { service: 'shop', storage, sagas: [{}] },
      /^holdfast: sagas: each must be made by saga\(…\)\.returns\(…\), got an object with no keys$/,
    ],
    [
      'a saga that waits for its dependencies',
      { service: 'shop', storage, sagas: [checkout] },
      /got function checkout; call it with its dependencies first$/,
    ],
    ['sagas that are no list', { service: 'shop', storage, sagas: flow }, /sagas must be a list of sagas/],
    ['subscriptions that are none', { service: 'shop', storage, subscriptions: [{}] }, /made by subscription\(\)/],
    ['a transport that is none', { service: 'shop', storage, transport: {} }, /transport must be a transport/],
    ['a logger that is none', { service: 'shop', storage, logger: console.log }, /logger must be/],
  ])('%s', (_, options, message) => {
    expect(refusal(options)).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', message: expect.stringMatching(message) as string })
  })

  test.each<[string, object]>([
    ['two sagas', { sagas: [flow, checkout({ log: [] })] }],
    ['two subscriptions to one event', { subscriptions: [readModel({ log: [] }), readModel({ log: [] })] }],
  ])('%s of one name', (_, options) => {
    expect(refusal({ service: 'shop', storage, ...options })).toMatchObject({ code: 'NAME_REUSED', effect: 'none' })
  })

  test.each<[object, RegExp]>([
    [{ drainMs: -1 }, /holdfast.stop: drainMs/],
    [{ servers: [{}] }, /holdfast.stop: servers must be a list of servers with close\(\)/],
    [{ drain: 1 }, /unknown option drain \(did you mean drainMs\?\)/],
  ])('to stop with %j', async (options, message) => {
    await expect(holdfast({ service: 'shop', storage }).stop(options)).rejects.toThrow(message)
  })
})

test('uses the transport it is given', async () => {
  const transport = memoryTransport()
  const hf = holdfast({ service: 'shop', storage: memoryStorage(), transport, subscriptions: [readModel({ log: [] })] })
  await hf.start()
  expect((await transport.stats()).groups).toMatchObject([{ name: 'shop.order.placed', group: 'read-model' }])
  await hf.stop()
})

test('touches nothing until it is started', () => {
  const clock = testClock()
  const untouchable = new Proxy(memoryStorage({ clock }), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? () => expect.unreachable(`called ${String(name)}`) : value
    },
  })
  holdfast({ service: 'shop', storage: untouchable, sagas: [checkout({ log: [] })], subscriptions: [readModel({ log: [] })], clock })
  expect(clock.pending).toBe(0)
})
