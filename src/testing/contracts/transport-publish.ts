import { HoldfastError } from '../../core/errors.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'
import { BILLING, gets, ids, MAILING, type MakeTransport, message, onTransport, PAID, PLACED, published, taker } from './transport-stand.ts'

export const publishCases: readonly ContractCase<MakeTransport>[] = [
  {
    promise: 1,
    name: 'answers NOT_STARTED before it is opened and after its last close, and what it held is still there',
    run: async (make) => {
      const stand = await make({})
      const { transport } = stand
      same('before', await published(stand, message('a')), ['none NOT_STARTED'])
      await refuses('ensure', 'NOT_STARTED', () => transport.ensure([BILLING]))
      await refuses('subscribe', 'NOT_STARTED', () => transport.subscribe(BILLING, { deliver: () => {} }))
      await refuses('stats', 'NOT_STARTED', () => transport.stats())
      await refuses('list', 'NOT_STARTED', () => transport.dead.list({ limit: 1 }))
      await transport.open()
      await transport.ensure([BILLING])
      await published(stand, message('a'))
      await transport.close()
      same('after', await published(stand, message('b')), ['none NOT_STARTED'])
      await transport.close()
      await transport.open()
      await gets('reopened', stand, await taker(stand, BILLING, 9), ['a'])
      await transport.close()
      await stand.close()
    },
  },
  {
    promise: 1,
    name: 'stays open until it was closed as often as it was opened',
    run: onTransport(async (stand) => {
      await stand.transport.open()
      await stand.transport.close()
      same('still open', await published(stand, message('a')), ['confirmed'])
    }),
  },
  {
    promise: 2,
    name: 'gives a group what is published once it is ensured, and ensuring again changes nothing',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([BILLING])
      await published(stand, message('a'))
      await stand.transport.ensure([BILLING, MAILING])
      await published(stand, message('b'))
      await gets('billing', stand, await taker(stand, BILLING, 9), ['a', 'b'])
      await gets('mailing', stand, await taker(stand, MAILING, 9), ['b'])
    }),
  },
  {
    promise: 3,
    name: 'queues what it confirms for every group of its name, once, and for no other',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([BILLING, MAILING, { name: PAID, group: 'billing' }])
      same('verdicts', await published(stand, message('a'), message('b', { name: PAID }), message('c')), [
        'confirmed',
        'confirmed',
        'confirmed',
      ])
      await gets('billing', stand, await taker(stand, BILLING, 9), ['a', 'c'])
      await gets('mailing', stand, await taker(stand, MAILING, 9), ['a', 'c'])
      await gets('paid', stand, await taker(stand, { name: PAID, group: 'billing' }, 9), ['b'])
    }),
  },
  {
    promise: 3,
    name: 'answers each message of a batch on its own',
    run: onTransport(
      async (stand) => {
        await stand.transport.ensure([BILLING, { name: PAID, group: 'billing' }])
        same('verdicts', await published(stand, message('a'), message('b'), message('c', { name: PAID })), [
          'confirmed',
          'none QUEUE_FULL',
          'confirmed',
        ])
        await gets('billing', stand, await taker(stand, BILLING, 9), ['a'])
      },
      { queued: 1, full: 'refuse' },
    ),
  },
  {
    promise: 4,
    name: 'confirms and drops what no group is there for',
    run: onTransport(async (stand) => {
      same('verdict', await published(stand, message('a')), ['confirmed'])
      await gets('a group that comes later', stand, await taker(stand, BILLING, 9), [])
    }),
  },
  {
    promise: 5,
    name: 'confirms an id again without queueing it again, under its own name only',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([BILLING, { name: PAID, group: 'billing' }])
      same('verdicts', await published(stand, message('a'), message('a'), message('a', { name: PAID })), [
        'confirmed',
        'confirmed',
        'confirmed',
      ])
      same('later', await published(stand, message('a')), ['confirmed'])
      await gets('billing', stand, await taker(stand, BILLING, 9), ['a'])
      await gets('paid', stand, await taker(stand, { name: PAID, group: 'billing' }, 9), ['a'])
    }),
  },
  {
    promise: 5,
    name: 'queues an id once that two publishers waited with, and confirms a known one though there is no room',
    run: onTransport(
      async (stand) => {
        await stand.transport.ensure([BILLING])
        await published(stand, message('a'))
        same('known', await published(stand, message('a')), ['confirmed'])
        const waiting = [published(stand, message('b')), published(stand, message('b'))]
        const billing = await taker(stand, BILLING, 9)
        await gets('no room yet', stand, billing, ['a'])
        await billing.settle('ack', billing.got[0])
        await gets('once', stand, billing, ['a', 'b'])
        await billing.settle('ack', billing.got[1])
        same('both', await Promise.all(waiting), [['confirmed'], ['confirmed']])
        await gets('not again', stand, billing, ['a', 'b'])
      },
      { queued: 1, full: 'wait', waitMaxMs: 60_000 },
    ),
  },
  {
    promise: 6,
    name: 'makes publishers wait for room, and serves them in the order they came',
    run: onTransport(
      async (stand) => {
        await stand.transport.ensure([BILLING])
        await published(stand, message('a'), message('b'))
        const waiting = [published(stand, message('c')), published(stand, message('d'))]
        await stand.passMs(5)
        same('waiting', (await stand.transport.stats()).waiting, 2)
        const billing = await taker(stand, BILLING, 9)
        await gets('no room yet', stand, billing, ['a', 'b'])
        await billing.settle('ack', billing.got[0])
        await gets('room for one', stand, billing, ['a', 'b', 'c'])
        await billing.settle('ack', billing.got[1])
        same('both', await Promise.all(waiting), [['confirmed'], ['confirmed']])
        await gets('room for the other', stand, billing, ['a', 'b', 'c', 'd'])
        same('nobody waits', (await stand.transport.stats()).waiting, 0)
      },
      { queued: 2, full: 'wait', waitMaxMs: 60_000 },
    ),
  },
  {
    promise: 6,
    name: 'ends a wait by its limit, by the signal of the publisher and by closing, with nothing queued',
    run: onTransport(
      async (stand) => {
        const { transport } = stand
        await transport.ensure([BILLING])
        await published(stand, message('a'))
        const caller = new AbortController()
        const given = { signal: caller.signal, aborted: false }
        const aborted = transport.publish([message('b')], given)
        caller.abort()
        const [verdict] = await aborted
        check('aborted: none', verdict?.result === 'none' && verdict.error instanceof HoldfastError && verdict.error.code === 'ABORTED')
        const late = published(stand, message('c'))
        await stand.passMs(1_100)
        same('too late', await late, ['none QUEUE_TIMEOUT'])
        const closed = published(stand, message('d'))
        await transport.close()
        same('closed', await closed, ['none NOT_STARTED'])
        await transport.open()
        await gets('what is queued', stand, await taker(stand, BILLING, 9), ['a'])
      },
      { queued: 1, full: 'wait', waitMaxMs: 1_000 },
    ),
  },
  {
    promise: 13,
    name: 'hands out what was published, whatever becomes of the object, and nobody can change it',
    run: onTransport(async (stand) => {
      await stand.transport.ensure([BILLING, MAILING])
      const attributes = { correlationid: 'c', tenant: 'acme' }
      const sent = { ...message('a', { key: 'k', expiresEpochMs: 1_767_225_700_000 }), attributes }
      const expected = structuredClone(sent)
      const confirmed = stand.transport.publish([sent])
      sent.data = '"changed"'
      attributes.tenant = 'changed'
      await confirmed
      const billing = await taker(stand, BILLING, 9)
      await gets('billing', stand, billing, ['a'])
      same('as published', { ...billing.got[0]?.message }, expected)
      try {
        ;(billing.got[0]?.message as { data: string }).data = '"changed"'
      } catch {
        // Refusing is one way not to be changed.
      }
      const mailing = await taker(stand, MAILING, 9)
      await gets('mailing', stand, mailing, ['a'])
      same(
        'for the other group',
        [mailing.got[0]?.message.data, ids(mailing.got), mailing.got[0]?.message.name],
        [expected.data, ['a'], PLACED],
      )
    }),
  },
]
