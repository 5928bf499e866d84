import { expect, test } from 'vitest'
import { gate, idleRig, noting, OrderPlaced, OrderSeen, order, rejection, rig } from './support.ts'

/** One message given up by each of two groups; they recover once `recover` is called. */
async function given(bounds = {}) {
  let broken = true
  const handle = (): void => {
    if (broken) throw new Error('broken')
  }
  const billing = noting({ retry: { attempts: 2 }, handle })
  const mailing = noting({ group: 'mailing', retry: { attempts: 2 }, handle })
  const made = await rig([billing.subscription, mailing.subscription], { bounds })
  return {
    ...made,
    billing,
    mailing,
    recover: () => {
      broken = false
    },
  }
}

test('lists them oldest first, by event and by group, page by page', async () => {
  const { bus, clock, stop } = await given()
  for (const id of ['a', 'b', 'c']) {
    await bus.publish(OrderPlaced, order(id))
    await clock.advance(10_000)
  }
  const keys = async (filter?: Parameters<typeof bus.deadLetters.list>[0]) =>
    (await bus.deadLetters.list(filter)).map((letter) => `${letter.message.key} ${letter.group}`)
  expect(await keys()).toEqual(['a billing', 'a mailing', 'b billing', 'b mailing', 'c billing', 'c mailing'])
  expect(await keys({ group: 'mailing' })).toEqual(['a mailing', 'b mailing', 'c mailing'])
  expect(await keys({ event: OrderPlaced, limit: 1 })).toEqual(['a billing'])
  expect(await keys({ event: OrderSeen })).toEqual([])
  expect(await keys({ event: 'shop.order.seen' })).toEqual([])
  const [first] = await bus.deadLetters.list({ limit: 1, group: 'mailing' })
  expect(await keys({ group: 'mailing', afterId: first?.id ?? '' })).toEqual(['b mailing', 'c mailing'])
  await stop()
})

test('a replayed message has all its attempts again, in its group alone', async () => {
  const { bus, clock, billing, mailing, recover, stop } = await given()
  const { id } = await bus.publish(OrderPlaced, order('a'))
  await clock.advance(10_000)
  recover()
  const [letter] = await bus.deadLetters.list({ group: 'billing' })
  expect(await bus.deadLetters.replay([letter?.id ?? ''])).toBe(1)
  await clock.advance(0)
  expect(billing.seen.map(({ message }) => [message.id, message.attempt])).toEqual([
    [id, 1],
    [id, 2],
    [id, 1],
  ])
  expect(mailing.seen).toHaveLength(2)
  expect((await bus.deadLetters.list()).map((left) => left.group)).toEqual(['mailing'])
  await stop()
})

test('a deleted one is gone', async () => {
  const { bus, clock, stop } = await given()
  await bus.publish(OrderPlaced, order('a'))
  await clock.advance(10_000)
  const letters = await bus.deadLetters.list()
  expect(await bus.deadLetters.delete(letters.map(({ id }) => id))).toBe(2)
  expect(await bus.deadLetters.list()).toEqual([])
  expect(await bus.deadLetters.replay(letters.map(({ id }) => id))).toBe(0)
  await stop()
})

test('they survive the bus, on the same transport', async () => {
  const { bus, clock, transport, stop } = await given()
  await bus.publish(OrderPlaced, order('a'))
  await clock.advance(10_000)
  await stop()
  const again = await rig([], { clock, transport })
  expect(await again.bus.deadLetters.list()).toHaveLength(2)
  await again.stop()
})

test('no more are kept than the transport is told to; the oldest gives way', async () => {
  const { bus, clock, transport, stop } = await given({ deadLetters: 3 })
  for (const id of ['a', 'b']) {
    await bus.publish(OrderPlaced, order(id))
    await clock.advance(10_000)
  }
  expect((await bus.deadLetters.list()).map((letter) => letter.message.key)).toEqual(['a', 'b', 'b'])
  expect((await transport.stats()).deadDropped).toBe(1)
  await stop()
})

test('a replay that finds no room refuses, and leaves them where they are', async () => {
  const door = gate()
  const { subscription } = noting({
    retry: { attempts: 1 },
    handle: ({ data }) => {
      if (data.total === 1) throw new Error('no')
      return door.opened
    },
  })
  const { bus, clock, stop } = await rig([subscription], { bounds: { queued: 1 } })
  await bus.publish(OrderPlaced, order('a', 1))
  await clock.advance(0)
  await bus.publish(OrderPlaced, order('b', 2))
  const ids = (await bus.deadLetters.list()).map(({ id }) => id)
  expect(await rejection(bus.deadLetters.replay(ids))).toMatchObject({ code: 'QUEUE_FULL', effect: 'none', retry: 'later' })
  expect(await bus.deadLetters.list()).toHaveLength(1)
  door.open()
  await stop()
})

test('answers NOT_STARTED outside start and stop, and refuses what it cannot read', async () => {
  const { bus, stop } = idleRig([])
  for (const call of [() => bus.deadLetters.list(), () => bus.deadLetters.replay([]), () => bus.deadLetters.delete([])])
    expect(await rejection(call())).toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
  await bus.start()
  expect(await rejection(bus.deadLetters.list({ limit: 1_001 }))).toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining('from 1 to 1000'),
  })
  expect(await rejection(bus.deadLetters.list({ name: 'x' } as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
  expect(await rejection(bus.deadLetters.replay('x' as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
  expect(await rejection(bus.deadLetters.delete([7] as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
  await stop()
})
