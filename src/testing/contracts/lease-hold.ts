import { type ContractCase, check, same } from './kit.ts'
import { granted, held, type MakeLease, onLeases, TTL_MS } from './lease-stand.ts'

const ASKED = { ttlMs: TTL_MS }

const acquires: readonly ContractCase<MakeLease>[] = [
  {
    promise: 1,
    name: 'gives a name to one owner at a time',
    run: onLeases(async (first, second) => {
      const grant = await granted('free', first.acquire('a', 'one', ASKED))
      same('held', held(grant), ['a', 'one', grant.token])
      same('another', await second.acquire('a', 'two', ASKED), undefined)
      same('another in the same opening', await first.acquire('a', 'two', ASKED), undefined)
      await granted('another name', second.acquire('b', 'two', ASKED))
    }),
  },
  {
    promise: 1,
    name: 'gives a name to exactly one of many who ask at once',
    run: onLeases(async (first, second) => {
      for (let round = 0; round < 10; round++) {
        const asked = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? first : second).acquire(`r${round}`, `owner ${n}`, ASKED))
        const grants = (await Promise.all(asked)).filter((grant) => grant !== undefined)
        same('grants', grants.length, 1)
        same('the holder', held(await second.holder(`r${round}`)), held(grants[0]))
      }
    }),
  },
  {
    promise: 1,
    name: 'renews for the owner who asks again, and keeps the token',
    run: onLeases(async (first, second, stand) => {
      const grant = await granted('first', first.acquire('a', 'one', ASKED))
      for (let round = 0; round < 3; round++) {
        await stand.passMs(TTL_MS * 0.6)
        same('again', held(await granted('again', second.acquire('a', 'one', ASKED))), held(grant))
        same('another', await second.acquire('a', 'two', ASKED), undefined)
      }
    }),
  },
  {
    promise: 1,
    name: 'gives a name whose time is over to whoever asks',
    run: onLeases(async (first, second, stand) => {
      const before = await granted('first', first.acquire('a', 'one', ASKED))
      await stand.passMs(TTL_MS + 20)
      const after = await granted('second', second.acquire('a', 'two', ASKED))
      check('a higher token', after.token > before.token)
      same('the first, late', await first.acquire('a', 'one', ASKED), undefined)
    }),
  },
  {
    promise: 2,
    name: 'raises the token with each change of owner, after a release and after an end of the time',
    run: onLeases(async (first, second, stand) => {
      const tokens: number[] = []
      for (let round = 0; round < 3; round++) {
        const one = await granted('one', first.acquire('a', 'one', ASKED))
        same('released', await first.release(one), true)
        const two = await granted('two', second.acquire('a', 'two', { ttlMs: TTL_MS / 4 }), TTL_MS / 4)
        tokens.push(one.token, two.token)
        await stand.passMs(TTL_MS / 4 + 20)
      }
      for (const [n, token] of tokens.entries()) check(`${tokens.join(' < ')}`, n === 0 || token > (tokens[n - 1] as number))
    }),
  },
  {
    promise: 2,
    name: 'never gives a former holder its old token back',
    run: onLeases(async (first, second, stand) => {
      const one = await granted('one', first.acquire('a', 'one', ASKED))
      await stand.passMs(TTL_MS + 20)
      const two = await granted('two', second.acquire('a', 'two', ASKED))
      await second.release(two)
      const again = await granted('one again', first.acquire('a', 'one', ASKED))
      check('higher than both', again.token > two.token && two.token > one.token)
    }),
  },
]

const keeps: readonly ContractCase<MakeLease>[] = [
  {
    promise: 3,
    name: 'prolongs what is held, from now on',
    run: onLeases(async (first, second, stand) => {
      const grant = await granted('first', first.acquire('a', 'one', ASKED))
      for (let round = 0; round < 3; round++) {
        await stand.passMs(TTL_MS * 0.6)
        same('renewed', held(await granted('renewed', second.renew(grant, ASKED))), held(grant))
      }
      await granted('longer', first.renew(grant, { ttlMs: TTL_MS * 50 }), TTL_MS * 50)
      await granted('shorter', first.renew(grant, { ttlMs: 1 }), 1)
      await stand.passMs(20)
      same('over', await second.holder('a'), undefined)
    }),
  },
  {
    promise: 3,
    name: 'renews nothing under another token, for another owner, and nothing that is free',
    run: onLeases(async (first, second) => {
      const grant = await granted('first', first.acquire('a', 'one', ASKED))
      for (const wrong of [
        { ...grant, token: grant.token + 1 },
        { ...grant, token: grant.token > 1 ? grant.token - 1 : grant.token + 2 },
        { ...grant, owner: 'two' },
        { ...grant, name: 'b' },
      ])
        same(JSON.stringify(wrong), await second.renew(wrong, ASKED), undefined)
      same('unchanged', held(await second.holder('a')), held(grant))
      same('not made', await second.holder('b'), undefined)
    }),
  },
  {
    promise: 3,
    name: 'renews nothing whose time is over, even where nobody has taken it',
    run: onLeases(async (first, second, stand) => {
      const grant = await granted('first', first.acquire('a', 'one', ASKED))
      await stand.passMs(TTL_MS + 20)
      same('late', await first.renew(grant, ASKED), undefined)
      same('free', await second.holder('a'), undefined)
      const taken = await granted('second', second.acquire('a', 'one', ASKED))
      same('under the old token', await first.renew(grant, ASKED), undefined)
      same('unchanged', held(await first.holder('a')), held(taken))
    }),
  },
  {
    promise: 4,
    name: 'frees the name at once, and only for its holder under that token',
    run: onLeases(async (first, second, stand) => {
      const grant = await granted('first', first.acquire('a', 'one', ASKED))
      same('another owner', await second.release({ ...grant, owner: 'two' }), false)
      same('another token', await second.release({ ...grant, token: grant.token + 1 }), false)
      same('still held', held(await second.holder('a')), held(grant))
      same('its holder', await second.release(grant), true)
      same('once', await first.release(grant), false)
      const next = await granted('free at once', second.acquire('a', 'two', ASKED))
      same('by the former holder', await first.release(grant), false)
      same('held', held(await first.holder('a')), held(next))
      await stand.passMs(TTL_MS + 20)
      same('over', await second.release(next), false)
    }),
  },
  {
    promise: 5,
    name: 'tells how much of the time is left',
    run: onLeases(async (first, second, stand) => {
      await granted('first', first.acquire('a', 'one', { ttlMs: TTL_MS * 10 }), TTL_MS * 10)
      await stand.passMs(TTL_MS)
      await granted('less', second.holder('a'), TTL_MS * 9)
      await granted(
        'listed',
        second.list().then(([grant]) => grant),
        TTL_MS * 9,
      )
    }),
  },
]

export const leaseHoldCases: readonly ContractCase<MakeLease>[] = [...acquires, ...keeps]
