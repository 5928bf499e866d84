import type { DeadReason } from '../../ports/transport.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'
import {
  BILLING,
  gets,
  MAILING,
  type MakeTransport,
  message,
  onTransport,
  published,
  type TransportStand,
  taker,
} from './transport-stand.ts'

const reason: DeadReason = {
  code: 'failed',
  message: 'attempt 3 of 3 failed: no such customer',
  attempts: 3,
  error: { name: 'Error', message: 'no such customer', stack: 'Error: no such customer\n    at invoice' },
}

/** Publishes and gives up, in both groups' names. */
async function died(stand: TransportStand, ...dying: readonly string[]): Promise<void> {
  await stand.transport.ensure([BILLING])
  const billing = await taker(stand, BILLING, dying.length)
  await published(stand, ...dying.map((id) => message(id, { key: 'k' })))
  await gets('handed out', stand, billing, dying)
  for (const delivery of billing.got) await billing.subscription.settle([{ delivery, as: 'dead', reason }])
  await billing.subscription.close()
}

const listed = async ({ transport }: TransportStand, change = {}): Promise<string[]> =>
  (await transport.dead.list({ limit: 100, ...change })).map((record) => record.message.id)

export const deadCases: readonly ContractCase<MakeTransport>[] = [
  {
    promise: 9,
    name: 'moves a message to the dead letters with its reason, out of its group and of no other',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([MAILING])
      await died(stand, 'a')
      const [record] = await stand.transport.dead.list({ limit: 10 })
      same('the record', { name: record?.name, group: record?.group, reason: record?.reason }, { ...BILLING, reason })
      same('the message', { ...record?.message }, message('a', { key: 'k' }))
      check('when it died', typeof record?.diedEpochMs === 'number' && record.diedEpochMs > 0)
      await gets('its group', stand, await taker(stand, BILLING, 9), [])
      await gets('the other', stand, await taker(stand, MAILING, 9), ['a'])
    }),
  },
  {
    promise: 12,
    name: 'lists the oldest first, by event and group, and pages',
    run: onTransport(async (stand) => {
      await died(stand, 'a', 'b', 'c')
      same('all', await listed(stand), ['a', 'b', 'c'])
      same('of its group', await listed(stand, BILLING), ['a', 'b', 'c'])
      same('of another group', await listed(stand, { group: 'mailing' }), [])
      same('of another event', await listed(stand, { name: 'other' }), [])
      const page = await stand.transport.dead.list({ limit: 2 })
      same(
        'the first page',
        page.map((record) => record.message.id),
        ['a', 'b'],
      )
      const afterId = page[1]?.id
      await stand.transport.dead.delete(page.map((record) => record.id))
      same('the next page, also when the former is gone', await listed(stand, { afterId }), ['c'])
    }),
  },
  {
    promise: 12,
    name: 'puts replayed messages at the end of their group as if new, once',
    run: onTransport(async (stand) => {
      await died(stand, 'a', 'b', 'c')
      await published(stand, message('d'))
      const records = await stand.transport.dead.list({ limit: 10 })
      const [a, b] = records.map((record) => record.id)
      same('replayed', await stand.transport.dead.replay([b ?? '', a ?? '', a ?? '', 'no such id']), 2)
      same('left', await listed(stand), ['c'])
      const billing = await taker(stand, BILLING, 9)
      await gets('the group', stand, billing, ['d', 'a', 'b'])
      same('as if new', { ...billing.got[1]?.tries }, { attempt: 1, refused: 0 })
      same('again', await stand.transport.dead.replay([a ?? '']), 0)
    }),
  },
  {
    promise: 12,
    name: 'replays none where there is no room for all',
    run: onTransport(
      async (stand) => {
        await died(stand, 'a', 'b')
        await published(stand, message('c'))
        const records = await stand.transport.dead.list({ limit: 10 })
        await refuses('replay', 'QUEUE_FULL', () => stand.transport.dead.replay(records.map((record) => record.id)))
        same('still dead', await listed(stand), ['a', 'b'])
        await gets('the group', stand, await taker(stand, BILLING, 9), ['c'])
      },
      { queued: 2, full: 'refuse' },
    ),
  },
  {
    promise: 12,
    name: 'deletes for good',
    run: onTransport(async (stand) => {
      await died(stand, 'a', 'b')
      const [a] = await stand.transport.dead.list({ limit: 10 })
      same('deleted', await stand.transport.dead.delete([a?.id ?? '', a?.id ?? '', 'no such id']), 1)
      same('left', await listed(stand), ['b'])
      same('gone', await stand.transport.dead.replay([a?.id ?? '']), 0)
    }),
  },
  {
    promise: 12,
    name: 'is bounded: the oldest gives way to the newest, and is counted',
    run: onTransport(
      async (stand) => {
        await died(stand, 'a', 'b', 'c')
        same('kept', await listed(stand), ['b', 'c'])
        const { dead, deadDropped } = await stand.transport.stats()
        same('counted', { dead, deadDropped }, { dead: 2, deadDropped: 1 })
      },
      { deadLetters: 2 },
    ),
  },
]
