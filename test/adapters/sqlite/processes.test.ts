import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SagaHead, SagaJournal } from '../../../src/ports/saga-journal.ts'
import { availability, describeWith } from '../../support/services.ts'
import { all, bundle, run } from './process/parent.ts'
import { type Driver, drivers, folder, inFolder, withStorage } from './support.ts'

const { path, remove } = folder()
let script: string
beforeAll(async () => {
  script = await bundle(path('child.mjs'))
})
afterAll(remove)

/** The folder of an application that has the driver. */
const homeOf = (driver: Driver) => fileURLToPath(new URL('.', availability(driver).from ?? import.meta.url))

async function everything(journal: SagaJournal): Promise<SagaHead[]> {
  const heads: SagaHead[] = []
  for (
    let page = await journal.list({ limit: 500 });
    page.length > 0;
    page = await journal.list({ limit: 500, afterId: heads.at(-1)?.id ?? '' })
  )
    heads.push(...page)
  return heads
}

for (const driver of drivers) {
  // What a killed process left is read by libsql, which is always there; no process opens one file with two drivers.
  describeWith(driver, `with ${driver}, in processes of their own`, () => {
    test.each([1, 7, 40])(
      'a process that is killed after %i batches has lost nothing it acknowledged, and left no half batch',
      async (kills) => {
        await inFolder(async (at) => {
          const child = run(
            script,
            { act: 'write', path: at('saga.db'), driver, owner: 'child', batches: 1_000_000 },
            { cwd: homeOf(driver) },
          )
          let acked = -1
          while (acked < kills - 1) {
            const answer = await child.next()
            expect(answer).toHaveProperty('acked')
            if (answer !== undefined && 'acked' in answer) acked = answer.acked
          }
          await child.kill()
          await withStorage(at('saga.db'), { driver: 'libsql' }, async ({ sagaJournal }) => {
            const heads = await everything(sagaJournal)
            const batches = new Map<string, number>()
            for (const { id, seq } of heads) {
              expect(seq).toBe(3)
              expect((await sagaJournal.read(id)).map((record) => record.seq)).toEqual([1, 2, 3])
              const [n = ''] = id.split('/')
              batches.set(n, (batches.get(n) ?? 0) + 1)
            }
            expect([...batches.values()].filter((sagas) => sagas !== 5)).toEqual([])
            for (let n = 0; n <= acked; n++) expect(batches.get(String(n)), `batch ${n} was acknowledged`).toBe(5)
            expect([...batches.keys()].map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: batches.size }, (_, n) => n))
          })
        })
      },
    )

    test('the shards of a killed process are free at once, and those of a living one are not', async () => {
      await inFolder(async (at) => {
        const child = run(script, { act: 'hold', path: at('saga.db'), driver, owner: 'same name' }, { cwd: homeOf(driver) })
        expect(await child.next()).toEqual({ held: 4 })
        await withStorage(at('saga.db'), { driver: 'libsql' }, async ({ sagaJournal }) => {
          const options = { shards: 4, leaseMs: 1_000 }
          expect(await sagaJournal.claim('other', options)).toEqual([])
          expect(await sagaJournal.claim('same name', options)).toEqual([])
          await child.kill()
          expect((await sagaJournal.claim('same name', options)).map((claim) => claim.fence)).toEqual(
            [0, 1, 2, 3].map((shard) => ({ shard, epoch: 2 })),
          )
        })
      })
    })

    test('processes that race on one file create each id once, and only wait for each other', async () => {
      await inFolder(async (at) => {
        const ids = 60
        const racers = ['a', 'b', 'c'].map((owner) =>
          run(script, { act: 'race', path: at('saga.db'), driver, owner, ids }, { cwd: homeOf(driver) }),
        )
        const answers = (await Promise.all(racers.map(all))).flat()
        expect(answers.filter((answer) => !('won' in answer))).toEqual([])
        const told = answers.flatMap((answer) => ('won' in answer ? [answer] : []))
        expect(told).toHaveLength(3)
        expect(told.flatMap(({ won }) => won).sort()).toEqual(Array.from({ length: ids }, (_, n) => `r${n}`).sort())
        await withStorage(at('saga.db'), { driver: 'libsql' }, async ({ sagaJournal }) => {
          const extended = new Set(told.flatMap((answer) => answer.extended))
          expect(told.flatMap((answer) => answer.extended)).toHaveLength(extended.size)
          for (let n = 0; n < ids; n++) expect(await sagaJournal.read(`r${n}`)).toHaveLength(extended.has(`r${n}`) ? 3 : 1)
        })
      })
    })
  })
}

describeWith('libsql', 'with files and folders that a process may not write', () => {
  const answerOf = async (order: Parameters<typeof run>[1]) => all(run(script, order, { cwd: homeOf('libsql'), unprivileged: true }))

  test('a read-only file is refused at opening and stays as it is', async () => {
    await inFolder(async (at) => {
      await withStorage(at('saga.db'), { driver: 'libsql' }, async () => {})
      chmodSync(at('saga.db'), 0o444)
      chmodSync(at('.'), 0o777)
      const before = readFileSync(at('saga.db'))
      expect(await answerOf({ act: 'open', path: at('saga.db'), driver: 'libsql' })).toMatchObject([
        { code: 'STORAGE_UNAVAILABLE', effect: 'none' },
      ])
      expect(readFileSync(at('saga.db')).equals(before)).toBe(true)
    })
  })

  test('a read-only folder is refused at opening', async () => {
    await inFolder(async (at) => {
      chmodSync(at('.'), 0o555)
      expect(await answerOf({ act: 'open', path: at('saga.db'), driver: 'libsql' })).toMatchObject([
        { code: 'STORAGE_UNAVAILABLE', effect: 'none' },
      ])
      expect(readdirSync(at('.'))).toEqual([])
      chmodSync(at('.'), 0o755)
    })
  })
})

test('a driver that is not there is asked for by the command that installs it', async () => {
  await inFolder(async (at) => {
    const missing = await all(run(script, { act: 'open', path: at('saga.db'), driver: 'libsql' }, { cwd: at('.') }))
    expect(missing).toMatchObject([{ code: 'PACKAGE_MISSING', effect: 'none', message: expect.stringContaining('npm install libsql') }])
  })
})

test('a driver whose binary does not fit is passed over, with the reason', async () => {
  await inFolder(async (at) => {
    mkdirSync(at('node_modules/libsql'), { recursive: true })
    writeFileSync(
      at('node_modules/libsql/index.js'),
      "module.exports = class { constructor() { throw new Error('built for another Node') } }",
    )
    const order = { act: 'open', path: at('saga.db'), driver: 'libsql' } as const
    const reason = expect.stringContaining('libsql: built for another Node')
    expect(await all(run(script, order, { cwd: at('.') }))).toMatchObject([{ code: 'PACKAGE_MISSING', message: reason }])
  })
})

test('without a wish for a driver the first that can be loaded serves', async () => {
  await inFolder(async (at) => {
    const order = { act: 'open', path: at('saga.db') } as const
    expect(await all(run(script, order, { cwd: homeOf('libsql') }))).toEqual([{ opened: true }])
    const hasOwn = availability('node:sqlite').ready
    const bare = await all(run(script, order, { cwd: at('.') }))
    expect(bare).toMatchObject([hasOwn ? { opened: true } : { code: 'PACKAGE_MISSING' }])
  })
})
