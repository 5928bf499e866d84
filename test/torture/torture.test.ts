import { expect, test } from 'vitest'
import { describeWith } from '../support/services.ts'
import { type OwnedTarget, postgresTarget, sqliteTarget } from './fresh.ts'
import { type TortureReport, torture } from './torture.ts'

/** A few seconds of what `npm run torture` does for long. */
async function shortly({ target, remove }: OwnedTarget, joinedShare: number): Promise<TortureReport> {
  try {
    return await torture({
      target,
      seed: 7,
      writers: 3,
      readers: 2,
      keepers: 2,
      actors: 6,
      streams: 12,
      joinedShare,
      lastsMs: 5_000,
      strikeEveryMs: 250,
    })
  } finally {
    await remove()
  }
}

/** That the run did something of each kind, so that an empty history cannot pass. */
function expectWork({ asks, events, kept, strikes }: TortureReport): void {
  expect(events).toBeGreaterThan(200)
  expect(asks.ok).toBeGreaterThan(100)
  expect(asks.conflict).toBeGreaterThan(10)
  expect(kept).toBeGreaterThan(5)
  expect(Object.keys(strikes).length).toBeGreaterThan(2)
}

describeWith('libsql', 'SQLite, killed, stopped and locked', () => {
  test('keeps every promise of its log', { timeout: 60_000 }, async () => {
    const report = await shortly(sqliteTarget(), 0.02)
    expect(report.violations).toEqual([])
    expectWork(report)
  })
})

describeWith('postgres', 'PostgreSQL, killed, stopped and cut off', () => {
  test.each(['pg', 'postgres.js'] as const)('keeps every promise of its log by %s', { timeout: 60_000 }, async (driver) => {
    const report = await shortly(await postgresTarget(driver), 0.1)
    expect(report.violations).toEqual([])
    expectWork(report)
  })
})
