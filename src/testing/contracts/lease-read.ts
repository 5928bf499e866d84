import type { Lease, LeaseGrant } from '../../ports/lease.ts'
import { LONE, ORDERED } from './key-value-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'
import { granted, held, type MakeLease, onLeases, TTL_MS } from './lease-stand.ts'

const LONG = { ttlMs: 60_000 }
const names = (grants: readonly LeaseGrant[]): string[] => grants.map(({ name }) => name)

const lists: readonly ContractCase<MakeLease>[] = [
  {
    promise: 6,
    name: 'lists who holds what, by name in code point order, page after page',
    run: onLeases(async (first, second) => {
      const grants = new Map<string, LeaseGrant>()
      for (const name of [...ORDERED].reverse()) grants.set(name, await granted(name, first.acquire(name, `of ${name}`, LONG), LONG.ttlMs))
      for (const grant of await second.list()) same('listed', held(grant), held(grants.get(grant.name)))
      for (const name of ORDERED) same('holder', held(await second.holder(name)), held(grants.get(name)))
      for (const limit of [1, 3, 100]) {
        const seen: string[] = []
        let page = await second.list({ limit })
        while (page.length > 0) {
          check(`at most ${limit}`, page.length <= limit)
          seen.push(...names(page))
          page = await second.list({ limit, afterName: seen.at(-1) as string })
        }
        same(`pages of ${limit}`, seen, ORDERED)
      }
      for (const prefix of ['A', '*', '[', '\u{1f600}', 'none of it'])
        same(
          prefix,
          names(await first.list({ prefix })),
          ORDERED.filter((name) => name.startsWith(prefix)),
        )
      for (const limit of [0, 1_001, 1.5]) await refuses(`limit ${limit}`, 'INVALID_OPTIONS', () => first.list({ limit }))
    }),
  },
  {
    promise: 6,
    name: 'tells of nobody where the name was never taken, was released or has run out',
    run: onLeases(async (first, second, stand) => {
      same('never', await first.holder('a'), undefined)
      await granted('short', first.acquire('short', 'one', { ttlMs: TTL_MS }))
      const freed = await granted('freed', first.acquire('freed', 'one', LONG), LONG.ttlMs)
      await granted('kept', first.acquire('kept', 'one', LONG), LONG.ttlMs)
      await first.release(freed)
      await stand.passMs(TTL_MS + 20)
      same('listed', names(await second.list()), ['kept'])
      same('run out', await second.holder('short'), undefined)
      same('released', await second.holder('freed'), undefined)
    }),
  },
]

const texts: readonly ContractCase<MakeLease>[] = [
  {
    promise: 7,
    name: 'refuses what is no name, owner, time or grant, effect none',
    run: onLeases(async (first) => {
      const odd = (value: unknown): never => value as never
      const grant: LeaseGrant = { name: 'a', owner: 'one', token: 1, remainingMs: 1 }
      const refused: Record<string, () => Promise<unknown>> = {
        'an empty name': () => first.acquire('', 'one', LONG),
        'an empty owner': () => first.acquire('a', '', LONG),
        'a long name': () => first.acquire('k'.repeat(513), 'one', LONG),
        'a long owner': () => first.acquire('a', 'ä'.repeat(257), LONG),
        'no name': () => first.holder(odd(undefined)),
        'no options': () => first.acquire('a', 'one', odd(undefined)),
        'no grant': () => first.renew(odd(undefined), LONG),
        'a grant without a token': () => first.release({ ...grant, token: odd(undefined) }),
        'a token of 0': () => first.renew({ ...grant, token: 0 }, LONG),
      }
      for (const ttlMs of [0, -1, 0.5, 86_400_001, Number.NaN, Number.POSITIVE_INFINITY, odd('9')]) {
        refused[`ttlMs ${ttlMs}`] = () => first.acquire('a', 'one', { ttlMs })
        refused[`ttlMs ${ttlMs} of renew`] = () => first.renew(grant, { ttlMs })
      }
      for (const [name, call] of Object.entries(refused)) same(name, (await refuses(name, 'INVALID_INPUT', call)).effect, 'none')
      for (const text of LONE)
        for (const call of [
          () => first.acquire(text, 'one', LONG),
          () => first.acquire('a', text, LONG),
          () => first.holder(text),
          () => first.release({ ...grant, owner: text }),
          () => first.list({ prefix: text }),
        ])
          same(JSON.stringify(text), (await refuses(JSON.stringify(text), 'NOT_JSON', call)).effect, 'none')
      same('nothing was taken', await first.list(), [])
      await granted('the longest', first.acquire('ä'.repeat(256), 'k'.repeat(512), { ttlMs: 86_400_000 }), 86_400_000)
    }),
  },
]

/** Every method but `close` and `open`, called with whatever fits. */
const calls = (lease: Lease, signal?: AbortSignal): Record<string, () => Promise<unknown>> => {
  const grant: LeaseGrant = { name: 'b', owner: 'one', token: 1, remainingMs: 1 }
  const options = signal === undefined ? {} : { signal }
  return {
    acquire: () => lease.acquire('a', 'one', { ...LONG, ...options }),
    renew: () => lease.renew(grant, { ...LONG, ...options }),
    release: () => lease.release(grant, signal),
    holder: () => lease.holder('a', signal),
    list: () => lease.list(options),
  }
}

const ends: readonly ContractCase<MakeLease>[] = [
  {
    promise: 8,
    name: 'answers NOT_STARTED before it is opened and after it is closed, and holds on to what was held',
    run: onLeases(async (first, _, stand) => {
      const lease = stand.lease()
      const refused = async (when: string): Promise<void> => {
        for (const [name, call] of Object.entries(calls(lease))) {
          const { effect, retry } = await refuses(`${name}, ${when}`, 'NOT_STARTED', call)
          same(name, [effect, retry], ['none', 'later'])
        }
      }
      await refused('unopened')
      await Promise.all([lease.open(), lease.open()])
      for (const call of Object.values(calls(lease))) await call()
      await lease.close()
      await lease.close()
      await refused('closed')
      same('still held', names(await first.list()), ['a'])
      await lease.open()
      same('and found again', (await lease.holder('a'))?.owner, 'one')
      await lease.close()
    }),
  },
  {
    promise: 8,
    name: 'leaves at once when the signal has aborted',
    run: onLeases(async (first, _, stand) => {
      const signal = AbortSignal.abort(new Error('enough'))
      for (const [name, call] of Object.entries(calls(first, signal))) same(name, (await refuses(name, 'ABORTED', call)).effect, 'none')
      same('nothing was taken', await first.list(), [])
      const unopened = stand.lease()
      await refuses('open', 'ABORTED', () => unopened.open(signal))
      await refuses('and stays unopened', 'NOT_STARTED', () => unopened.holder('a'))
    }),
  },
]

export const leaseReadCases: readonly ContractCase<MakeLease>[] = [...lists, ...texts, ...ends]
