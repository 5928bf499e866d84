import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StoredEvent } from '../../../src/ports/event-store.ts'
import { availability, describeWith } from '../../support/services.ts'
import { logOf } from './events.ts'
import type { Answer } from './process/child.ts'
import { all, bundle, type Child, run } from './process/parent.ts'
import { type Driver, drivers, folder, inFolder, withStorage } from './support.ts'

const { path, remove } = folder()
let script: string
beforeAll(async () => {
  script = await bundle(path('child.mjs'))
})
afterAll(remove)

const homeOf = (driver: Driver) => fileURLToPath(new URL('.', availability(driver).from ?? import.meta.url))

type Written = Extract<Answer, { readonly stream: string }>

/** Positions 1, 2, 3 …; in each stream versions 1, 2, 3 … with the data that goes with them. */
function isWhole(log: readonly StoredEvent[]): void {
  expect(log.map(({ position }) => Number(position))).toEqual(log.map((_, n) => n + 1))
  const versions = new Map<string, number>()
  for (const { stream, version, data } of log) {
    expect([stream, version, data]).toEqual([stream, (versions.get(stream) ?? 0) + 1, version - 1])
    versions.set(stream, version)
  }
}

/** Everything that was told as written stands where it was told to stand. */
function isThere(log: readonly StoredEvent[], told: readonly Written[]): void {
  const at = new Map(log.map(({ position, stream, version }) => [Number(position), `${stream}@${version}`]))
  expect(told.filter(({ stream, n, position }) => at.get(position) !== `${stream}@${n + 1}`)).toEqual([])
}

async function untilTold(child: Child, most: number): Promise<Written[]> {
  const told: Written[] = []
  while (told.length < most) {
    const answer = await child.next()
    if (answer === undefined || !('stream' in answer)) throw new Error(`expected a write, got ${JSON.stringify(answer)}`)
    told.push(answer)
  }
  return told
}

const writes = (answers: readonly Answer[]): Written[] => {
  const told = answers.filter((answer) => 'stream' in answer)
  expect(told).toHaveLength(answers.length)
  return told
}

for (const driver of drivers) {
  describeWith(driver, `events of several processes with ${driver}`, () => {
    const start = (at: string, order: { act: 'append'; owner: string; lanes: number; each: number } | { act: 'follow'; upTo: number }) =>
      run(script, { path: at, driver, ...order }, { cwd: homeOf(driver) })

    test.each([1, 25, 160])('one that is killed after %i answers has lost none of them, and left no half batch', async (kills) => {
      await inFolder(async (at) => {
        const child = start(at('log.db'), { act: 'append', owner: 'a', lanes: 8, each: 1_000_000 })
        const told = await untilTold(child, kills)
        await child.kill()
        await withStorage(at('log.db'), { driver: 'libsql' }, async ({ eventStore }) => {
          const log = await logOf(eventStore)
          isWhole(log)
          isThere(log, told)
          // The tags, written beside the events, are as many.
          expect(await logOf(eventStore, { tags: ['a'] })).toEqual(log)
          const last = told.at(-1) as Written
          const again = { stream: last.stream, expect: last.n, events: [{ type: 'counted', data: last.n, tags: ['a'] }] }
          const [verdict] = await eventStore.append([{ writes: [again], idempotencyKey: `${last.stream}/${last.n}` }])
          expect(verdict).toMatchObject({ result: 'duplicate', original: { position: BigInt(last.position) } })
          expect((await eventStore.append([{ writes: [{ ...again, stream: 'next', expect: 'none' }] }]))[0]).toMatchObject({
            result: 'ok',
            position: BigInt(log.length + 1),
          })
        })
      })
    })

    test('all that write at once, one of them killed, are in one log without a gap, and whoever follows sees just that', async () => {
      await inFolder(async (at) => {
        const each = 40
        await withStorage(at('log.db'), { driver: 'libsql' }, async () => {})
        const follower = start(at('log.db'), { act: 'follow', upTo: 2 * 4 * each })
        const doomed = start(at('log.db'), { act: 'append', owner: 'doomed', lanes: 4, each: 1_000_000 })
        const others = ['b', 'c'].map((owner) => start(at('log.db'), { act: 'append', owner, lanes: 4, each }))
        const told = await untilTold(doomed, 30)
        await doomed.kill()
        for (const answers of await Promise.all(others.map(all))) told.push(...writes(answers))
        expect(told).toHaveLength(30 + 2 * 4 * each)
        const followed = await all(follower)
        expect(followed.filter((answer) => !('followed' in answer))).toEqual([])
        expect(followed.at(-1)).toMatchObject({ followed: expect.any(Number) })
        await withStorage(at('log.db'), { driver: 'libsql' }, async ({ eventStore }) => {
          const log = await logOf(eventStore)
          isWhole(log)
          isThere(log, told)
        })
      })
    })
  })
}
