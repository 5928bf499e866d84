import { expect, test } from 'vitest'
import { memoryTransport } from '../../../src/adapters/memory/index.ts'
import type { Delivery, TransportMessage } from '../../../src/ports/transport.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

const message = (id: string): TransportMessage => ({ id, name: 'a', version: 1, data: '1', publishedEpochMs: 0, attributes: {} })

async function opened(options: Parameters<typeof memoryTransport>[0] = {}) {
  const clock = testClock()
  const transport = memoryTransport({ clock, ...options })
  await transport.open()
  const got: Delivery[] = []
  const subscription = await transport.subscribe({ name: 'a', group: 'g' }, { deliver: (deliveries) => void got.push(...deliveries) })
  subscription.credit(1_000)
  return { clock, transport, got, subscription }
}

test('remembers as many ids as it is told to, and forgets the oldest', async () => {
  const { clock, transport, got } = await opened({ remembered: 2 })
  await transport.publish([message('1'), message('2'), message('3')])
  await transport.publish([message('3'), message('2'), message('1')])
  await clock.advance(0)
  expect(got.map((each) => each.message.id)).toEqual(['1', '2', '3', '1'])
})

test('remembers none where it is told so', async () => {
  const { clock, transport, got } = await opened({ remembered: 0 })
  await transport.publish([message('1'), message('1')])
  await clock.advance(0)
  expect(got).toHaveLength(2)
})

test('hands out nothing inside the publish itself, and what was published together in one batch', async () => {
  const { clock, transport } = await opened()
  const batches: number[] = []
  const other = await transport.subscribe({ name: 'a', group: 'other' }, { deliver: (deliveries) => void batches.push(deliveries.length) })
  other.credit(9)
  const publishing = transport.publish([message('1'), message('2')])
  expect(batches).toEqual([])
  await publishing
  await clock.advance(0)
  expect(batches).toEqual([2])
})

test('does not open for a caller who has given up, nor serve one', async () => {
  const transport = memoryTransport()
  const signal = AbortSignal.abort(new Error('gone'))
  await expect(transport.open(signal)).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
  await transport.open()
  await transport.ensure([{ name: 'a', group: 'g' }])
  expect(await transport.publish([message('1')], { signal, aborted: true })).toMatchObject([{ result: 'none', error: { code: 'ABORTED' } }])
  expect((await transport.stats()).groups).toMatchObject([{ ready: 0 }])
})

test('leaves no listener on the signal of publishers that had to wait', async () => {
  const { clock, transport, got, subscription } = await opened({ queued: 1 })
  const caller = new AbortController()
  let listening = 0
  const { addEventListener, removeEventListener } = caller.signal
  caller.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listening += 1
    addEventListener.apply(caller.signal, args)
  }
  caller.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listening -= 1
    removeEventListener.apply(caller.signal, args)
  }
  const publishing = transport.publish(
    Array.from({ length: 20 }, (_, n) => message(String(n))),
    { signal: caller.signal, aborted: false },
  )
  expect(listening).toBe(1)
  for (let n = 0; n < 20; n++) {
    await clock.advance(0)
    const delivery = got[n]
    if (delivery !== undefined) await subscription.settle([{ delivery, as: 'ack' }])
  }
  await publishing
  await clock.advance(0)
  expect([listening, clock.pending]).toEqual([0, 0])
})
