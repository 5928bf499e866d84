// What is known of a store's time, and of how long it takes.
import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../src/ports/key-value.ts'
import { bounded } from '../../src/resilience/bounded.ts'
import { StoreClock } from '../../src/resilience/store-clock.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { world } from './shared-rate.ts'

describe('an answer within a bound', () => {
  test('counts where it has arrived when the time is over, though nobody has read it yet', async () => {
    const clock = testClock()
    const answer = bounded(clock, 100, () => new Promise<string>((resolve) => void clock.setTimer(() => resolve('here'), 100)))
    await clock.advance(100)
    expect(await answer).toBe('here')
    expect(clock.pending).toBe(0)
  })

  test('is given up when it has not, and the work is told', async () => {
    const clock = testClock()
    let told: unknown
    const answer = bounded(clock, 100, (signal) => {
      signal.addEventListener('abort', () => {
        told = signal.reason
      })
      return new Promise<never>(() => {})
    }).catch((error: unknown) => error)
    await clock.advance(101)
    expect(await answer).toMatchObject({ code: 'STORAGE_UNAVAILABLE', message: expect.stringContaining('within 100 ms') })
    expect(told).toBe(await answer)
    expect(clock.pending).toBe(0)
  })
})

describe("a store's clock", () => {
  test('is read again after ten seconds, and where the own clock steps back', async () => {
    const at = await world()
    let backMs = 0
    const clock = { ...at.shifted(0), nowMs: () => at.clock.nowMs() - backMs }
    let asked = 0
    const increment: KeyValue['increment'] = (key, by, options) => {
      asked += 1
      return at.store.increment(key, by, options)
    }
    const time = new StoreClock({ ...at.store, increment }, clock)
    const { signal } = new AbortController()
    const first = await time.span(signal)
    await at.clock.advance(9_999)
    const later = await time.span(signal)
    expect([asked, Math.round(later.leastMs - first.leastMs), Math.round(later.mostMs - first.mostMs)]).toEqual([1, 9_994, 10_004])
    backMs = 20_000
    const stepped = await time.span(signal)
    expect(asked).toBe(2)
    expect(stepped.mostMs).toBeGreaterThanOrEqual(later.leastMs)
    await at.clock.advance(10_000)
    await time.span(signal)
    expect(asked).toBe(3)
  })
})
