import { expect, test } from 'vitest'
import { describeWith } from '../support/services.ts'
import { postgresTarget } from './fresh.ts'
import type { Target } from './order.ts'
import { pull, type Tooth, teeth } from './teeth.ts'
import { torture } from './torture.ts'

/** The promises that a short run finds broken in a database without that rule. */
async function broken(tooth: Tooth, seed: number): Promise<readonly number[]> {
  const { target, remove } = await postgresTarget('pg')
  try {
    const { url, schema } = target as Extract<Target, { engine: 'postgres' }>
    await pull(tooth, url, schema)
    const load = { writers: 3, readers: 1, keepers: 2, actors: 8, streams: 8, joinedShare: 0.25 }
    const { violations } = await torture({ target, seed, ...load, lastsMs: 4_000, strikeEveryMs: 400 })
    return violations.map(({ promise }) => promise)
  } finally {
    await remove()
  }
}

describeWith('postgres', 'the torture finds out', () => {
  test.each(teeth)('without rule $rule: $without', { timeout: 120_000 }, async (tooth) => {
    let found: readonly number[] = []
    // What is wrong only when two things meet is found by looking again.
    for (let seed = 1; seed <= 4 && !tooth.promises.some((promise) => found.includes(promise)); seed++) found = await broken(tooth, seed)
    expect(tooth.promises.filter((promise) => found.includes(promise))).not.toEqual([])
  })
})
