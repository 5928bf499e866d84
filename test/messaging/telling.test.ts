import { expect, test } from 'vitest'
import { diagnostics } from '../../src/core/diagnostics.ts'
import { declined } from '../../src/core/errors.ts'
import { gate, noting, OrderPlaced, order, rig } from './support.ts'

const flaky = () =>
  noting({
    handle: ({ data, attempt }) => {
      if (data.orderId === 'dead') throw declined('no')
      if (attempt === 1) throw new Error('again')
    },
  }).subscription

test('tells what was published, tried again, handled and given up, without the data', async () => {
  const { bus, clock, stop } = await rig([flaky()])
  const told: unknown[] = []
  for (const name of ['published', 'retried', 'handled', 'dead'] as const) bus.on(name, (event) => told.push([name, event]))
  const { id } = await bus.publish(OrderPlaced, order('o-1'))
  await clock.advance(50)
  const other = await bus.publish(OrderPlaced, order('dead'))
  await clock.advance(0)
  const message = { id, name: 'shop.order.placed', key: 'o-1' }
  const inGroup = { message, group: 'billing' }
  const gone = { id: other.id, name: 'shop.order.placed', key: 'dead' }
  expect(told).toEqual([
    ['published', { message }],
    ['retried', { ...inGroup, attempt: 1, delayMs: 50, refused: false, error: new Error('again') }],
    ['handled', { ...inGroup, attempt: 2, durationMs: 0 }],
    ['published', { message: gone }],
    ['dead', { message: gone, group: 'billing', kept: true, reason: expect.objectContaining({ code: 'failed', attempts: 1 }) }],
  ])
  await stop()
})

test('tells the diagnostics channel the same', async () => {
  const { bus, clock, stop } = await rig([flaky()])
  const told: unknown[] = []
  const listener = (what: unknown): void => void told.push(what)
  diagnostics.bus.subscribe(listener)
  const { id } = await bus.publish(OrderPlaced, order('o-1'))
  await clock.advance(50)
  diagnostics.bus.unsubscribe(listener)
  await bus.publish(OrderPlaced, order('o-2'))
  expect(told).toMatchObject([
    { event: 'published', message: { id } },
    { event: 'retried', message: { id }, group: 'billing' },
    { event: 'handled', message: { id }, group: 'billing', attempt: 2 },
  ])
  await stop()
})

test('logs dead letters and handlers that were left behind, without the data', async () => {
  const lines: [string, object, string][] = []
  const log = (level: string) => (details: object, message: string) => void lines.push([level, details, message])
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const stuck = gate()
  const { subscription } = noting({
    retry: { attempts: 1 },
    handle: ({ data }) => (data.orderId === 'stuck' ? stuck.opened : Promise.reject(new Error('x'))),
  })
  const { bus, clock, stop } = await rig([subscription], { logger })
  await bus.publish(OrderPlaced, order('o-1', 4711))
  await bus.publish(OrderPlaced, order('stuck', 4711))
  await clock.advance(0)
  const stopping = stop(10)
  await clock.advance(10)
  await stopping
  expect(lines).toMatchObject([
    [
      'warn',
      { name: OrderPlaced.name, group: 'billing', reason: 'failed', attempts: 1, error: 'attempt 1 of 1 failed: x' },
      'message became a dead letter',
    ],
    ['warn', { group: 'billing', running: 1 }, 'handlers did not end in time; their messages will come again'],
  ])
  expect(JSON.stringify(lines)).not.toContain('4711')
  stuck.open()
})
