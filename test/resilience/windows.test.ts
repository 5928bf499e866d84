// What windows keep of calls where clocks and slices meet their edges.
import { describe, expect, test } from 'vitest'
import { CallWindow } from '../../src/resilience/adaptive-window.ts'
import { Overdue } from '../../src/resilience/overdue.ts'

describe('calls in flight, by when they began', () => {
  test('are each handed out once: one that ends nine slices later is not taken for one of now', () => {
    const out = new Overdue(800) // slices of 100 ms, nine of which are kept
    expect(out.begin(50)).toBe(0)
    expect(out.begin(950)).toBe(1)
    expect(out.ended(50)).toBe(false)
    expect(out.ended(950)).toBe(true)
    expect([out.ended(950), out.late(5_000)]).toEqual([false, 0])
  })

  test.each([0, 799, 849])('that end %i ms later, before anybody looked, are in time', (tookMs) => {
    const out = new Overdue(800)
    out.begin(50)
    out.late(50 + tookMs)
    expect(out.ended(50)).toBe(true)
  })
})

describe('what an adaptive limit has seen', () => {
  test('goes on by a clock that has stepped back', () => {
    const window = new CallWindow(0)
    window.restart(10_000, true)
    window.sample(9_900, 10_100, 1)
    expect(window.latencyMs).toBe(0)
    expect(window.over(5_000, 100, 1)).toBe(false)
    window.sample(5_000, 5_200, 1)
    window.drop(5_100, 1)
    expect([window.latencyMs, window.dropped(0.4), window.dropped(0.5)]).toEqual([200, true, false])
    expect([window.over(5_399, 100, 3), window.over(5_399, 100, 2), window.over(5_400, 100, 2)]).toEqual([false, false, true])
  })
})
