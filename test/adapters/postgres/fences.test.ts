import pg from 'pg'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { created, extension, words } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { HOST, ownSchema, poolOf, until } from './support.ts'

describeWith('postgres', 'fences', () => {
  const { schema, run } = ownSchema('fences')
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })
  const opened = async () => {
    const { pool, end } = poolOf('pg')
    ends.push(end)
    const storage = postgresStorage(pool, { schema })
    await storage.open()
    ends.push(() => storage.close())
    return storage.sagaJournal
  }
  /** Holds what a statement locks, until it is let go. */
  const holding = async (text: string) => {
    const client = new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
    await client.connect()
    await client.query('begin')
    await client.query(text)
    return async () => {
      await client.query('rollback')
      await client.end()
    }
  }
  const waiters = async (call: string) =>
    (await run(`select 1 from pg_stat_activity where query like $1 and wait_event_type = 'Lock'`, [`%"${schema}"."${call}"%`])).length

  test('are held by a batch until it has committed: a takeover waits, and then reads all of it', async () => {
    const [mine, theirs] = [await opened(), await opened()]
    await created(mine, 'a')
    await run(`update "${schema}".saga_lease set until = now()`)
    const [claim] = await mine.claim('mine', { shards: 1, leaseMs: 60_000 })
    const fence = claim?.fence ?? { shard: 0, epoch: 0 }
    await run(`update "${schema}".saga_lease set until = now()`)
    const letGo = await holding(`select 1 from "${schema}".saga where id = 'a' for update`)
    const appending = mine.append([extension('a', 2, fence)])
    await until('the batch waits, with its fence', async () => (await waiters('saga_append')) === 1)
    let seen = 0
    const takeover = theirs.claim('theirs', { shards: 1, leaseMs: 60_000 }).then(async (claims) => {
      seen = (await theirs.read('a')).length
      return claims
    })
    await until('the takeover waits for the batch', async () => (await waiters('saga_claim')) === 1)
    await letGo()
    expect(words(await appending)).toEqual(['ok'])
    expect(await takeover).toEqual([{ fence: { shard: 0, epoch: fence.epoch + 1 }, leaseMs: 60_000 }])
    expect(seen).toBe(3)
    expect(words(await mine.append([extension('a', 4, fence)]))).toEqual(['fenced'])
  })

  test('that are being taken over are waited for by a batch, which is fenced then', async () => {
    const [mine, theirs] = [await opened(), await opened()]
    await created(mine, 'b')
    await run(`update "${schema}".saga_lease set until = now()`)
    const [claim] = await mine.claim('first', { shards: 1, leaseMs: 60_000 })
    const fence = claim?.fence ?? { shard: 0, epoch: 0 }
    await run(`update "${schema}".saga_lease set until = now()`)
    const letGo = await holding(`select 1 from "${schema}".saga_fence for update`)
    const takeover = theirs.claim('second', { shards: 1, leaseMs: 60_000 })
    await until('the takeover waits', async () => (await waiters('saga_claim')) === 1)
    const appending = mine.append([extension('b', 2, fence)])
    await until('the batch waits behind it', async () => (await waiters('saga_append')) === 1)
    await letGo()
    expect(words(await appending)).toEqual(['fenced'])
    expect((await takeover).map(({ fence: { epoch } }) => epoch)).toEqual([fence.epoch + 1])
    expect(await mine.read('b')).toHaveLength(1)
  })

  test('do not stand between two writers with the same one: the sagas themselves are locked', async () => {
    const journals = [await opened(), await opened()]
    await created(journals[0] as NonNullable<(typeof journals)[0]>, 'c')
    await run(`update "${schema}".saga_lease set until = now()`)
    const [claim] = (await journals[0]?.claim('both', { shards: 1, leaseMs: 60_000 })) ?? []
    const fence = claim?.fence ?? { shard: 0, epoch: 0 }
    const letGo = await holding(`select 1 from "${schema}".saga where id = 'c' for update`)
    const appending = Promise.all(journals.map((journal) => journal.append([extension('c', 2, fence)])))
    await until('both wait', async () => (await waiters('saga_append')) === 2)
    await letGo()
    expect(words((await appending).flat()).sort()).toEqual(['conflict', 'ok'])
    expect(await journals[1]?.read('c')).toHaveLength(3)
  })
})
