import { type ContractCase, check, same } from './kit.ts'
import {
  BILLING,
  gets,
  ids,
  MAILING,
  type MakeTransport,
  message,
  onTransport,
  published,
  type TransportStand,
  taker,
} from './transport-stand.ts'

const letters = async (stand: TransportStand, count: number): Promise<string[]> => {
  await stand.transport.ensure([BILLING])
  const all = Array.from({ length: count }, (_, n) => String.fromCharCode(97 + n))
  await published(stand, ...all.map((id) => message(id)))
  return all
}

export const deliverCases: readonly ContractCase<MakeTransport>[] = [
  {
    promise: 7,
    name: 'hands out as many as there are credits, and nothing after drain',
    run: onTransport(async (stand) => {
      await letters(stand, 6)
      const billing = await taker(stand, BILLING, 0)
      await gets('no credit', stand, billing, [])
      billing.subscription.credit(2)
      await gets('two credits', stand, billing, ['a', 'b'])
      await billing.settle('ack', ...billing.got)
      await gets('settling gives no credit', stand, billing, ['a', 'b'])
      billing.subscription.credit(1)
      billing.subscription.credit(1)
      await gets('credits add up', stand, billing, ['a', 'b', 'c', 'd'])
      billing.subscription.drain()
      billing.subscription.credit(9)
      await gets('drained', stand, billing, ['a', 'b', 'c', 'd'])
      same('what it had can be settled', await billing.settle('ack', billing.got[2], billing.got[3]), ['settled', 'settled'])
    }),
  },
  {
    promise: 7,
    name: 'gives each message to one subscription of its group at a time, and to every group',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([BILLING, MAILING])
      const one = await taker(stand, BILLING, 99)
      const two = await taker(stand, BILLING, 99)
      const mailing = await taker(stand, MAILING, 99)
      const all = await letters(stand, 20)
      await gets('mailing', stand, mailing, all)
      await stand.passMs(50)
      same('shared', [...ids(one.got), ...ids(two.got)].sort(), all)
    }),
  },
  {
    promise: 8,
    name: 'hands out in the order of confirmation, and what came back before everything later',
    run: onTransport(async (stand) => {
      await letters(stand, 6)
      const billing = await taker(stand, BILLING, 4)
      await gets('first', stand, billing, ['a', 'b', 'c', 'd'])
      await billing.settle('release', billing.got[2])
      await billing.settle('release', billing.got[0])
      const [, b] = billing.got
      if (b !== undefined) await billing.subscription.settle([{ delivery: b, as: 'retry', delayMs: 50, tries: { attempt: 2, refused: 0 } }])
      await stand.passMs(100)
      billing.subscription.credit(9)
      await gets('then', stand, billing, ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'e', 'f'])
    }),
  },
  {
    promise: 9,
    name: 'removes what is acknowledged',
    run: onTransport(async (stand) => {
      await letters(stand, 2)
      const billing = await taker(stand, BILLING, 9)
      await gets('handed out', stand, billing, ['a', 'b'])
      same('settled', await billing.settle('ack', ...billing.got), ['settled', 'settled'])
      await billing.subscription.close()
      await gets('gone', stand, await taker(stand, BILLING, 9), [])
      same('stats', (await stand.transport.stats()).groups, [{ ...BILLING, ready: 0, unsettled: 0, delayed: 0 }])
    }),
  },
  {
    promise: 9,
    name: 'hands a retried message out again after its delay, with the tries it was given, and a released one with those it had',
    run: onTransport(async (stand) => {
      await letters(stand, 1)
      const billing = await taker(stand, BILLING, 9)
      await gets('first', stand, billing, ['a'])
      const [first] = billing.got
      same('fresh', first?.tries, { attempt: 1, refused: 0 })
      if (first === undefined) return
      const tries = { attempt: 2, refused: 3, firstEpochMs: 1_767_225_600_001 }
      await billing.subscription.settle([{ delivery: first, as: 'retry', delayMs: 400, tries }])
      same('stats', (await stand.transport.stats()).groups, [{ ...BILLING, ready: 0, unsettled: 0, delayed: 1 }])
      await stand.passMs(300)
      same('not before its delay', ids(billing.got), ['a'])
      await stand.passMs(200)
      await gets('after it', stand, billing, ['a', 'a'])
      same('with its tries', { ...billing.got[1]?.tries }, tries)
      await billing.settle('release', billing.got[1])
      await gets('released', stand, billing, ['a', 'a', 'a'])
      same('with the same tries', { ...billing.got[2]?.tries }, tries)
    }),
  },
  {
    promise: 9,
    name: 'keeps a delay through a close, and what fell due meanwhile comes at once',
    run: onTransport(async (stand) => {
      await letters(stand, 2)
      const billing = await taker(stand, BILLING, 9)
      await gets('first', stand, billing, ['a', 'b'])
      const [a, b] = billing.got
      const tries = { attempt: 2, refused: 0 }
      if (a !== undefined) await billing.subscription.settle([{ delivery: a, as: 'retry', delayMs: 100, tries }])
      if (b !== undefined) await billing.subscription.settle([{ delivery: b, as: 'retry', delayMs: 2_000, tries }])
      await stand.transport.close()
      await stand.passMs(500)
      await stand.transport.open()
      const again = await taker(stand, BILLING, 9)
      await gets('due', stand, again, ['a'])
      await stand.passMs(2_000)
      await gets('the other', stand, again, ['a', 'b'])
    }),
  },
  {
    promise: 10,
    name: 'releases what a closed subscription had not settled; settling it later is stale and changes nothing',
    run: onTransport(async (stand) => {
      await letters(stand, 3)
      const one = await taker(stand, BILLING, 9)
      await gets('one', stand, one, ['a', 'b', 'c'])
      await one.settle('ack', one.got[1])
      await one.subscription.close()
      await one.subscription.close()
      same('stale', await one.settle('ack', one.got[0], one.got[2]), ['stale', 'stale'])
      const two = await taker(stand, BILLING, 9)
      await gets('two', stand, two, ['a', 'c'])
      same('twice', [await two.settle('ack', two.got[0]), await two.settle('ack', two.got[0])], [['settled'], ['stale']])
    }),
  },
  {
    promise: 11,
    name: 'serves the oldest exclusive subscription alone, and the next one when it closes',
    run: onTransport(async (stand) => {
      const one = await taker(stand, BILLING, 2, { exclusive: true })
      const two = await taker(stand, BILLING, 9, { exclusive: true })
      await letters(stand, 4)
      await gets('the oldest', stand, one, ['a', 'b'])
      one.subscription.drain()
      await gets('the next waits even while the oldest takes nothing', stand, two, [])
      await one.settle('ack', one.got[0])
      await one.subscription.close()
      await gets('then takes over', stand, two, ['b', 'c', 'd'])
      check('the oldest got no more', one.got.length === 2)
    }),
  },
]
