import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Clock, defaultClock, useClock } from '../../src/core/clock.ts'
import { createContext } from '../../src/core/create-context.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { refusedBy } from './support.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('the default clock', () => {
  test('follows fake timers that come after it', async () => {
    vi.useFakeTimers({ now: 5_000 })
    const startMs = defaultClock.nowMs()
    const fire = vi.fn()
    defaultClock.setTimer(fire, 10)
    vi.advanceTimersByTime(9)
    expect(fire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fire).toHaveBeenCalledOnce()
    expect(defaultClock.nowMs() - startMs).toBe(10)
    expect(defaultClock.epochMs()).toBe(5_010)
  })

  test('lets a timeout made before fake timers end by them', async () => {
    const guard = timeout({ timeoutMs: 1_000 })
    vi.useFakeTimers()
    const answer = refusedBy(guard.run(() => new Promise(() => {})))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await answer).toMatchObject({ code: 'TIMEOUT' })
  })

  test('is replaced for everybody until it is put back', async () => {
    const clock = testClock({ epochMs: 77 })
    const guard = timeout({ timeoutMs: 1_000 })
    const restore = useClock(clock)
    try {
      expect([defaultClock.nowMs(), defaultClock.epochMs()]).toEqual([0, 77])
      const context = createContext({ timeoutMs: 1_500 })
      const answer = refusedBy(guard.run(() => new Promise(() => {})))
      await clock.advance(1_000)
      expect(await answer).toMatchObject({ code: 'TIMEOUT' })
      expect(context.remainingMs).toBe(500)
    } finally {
      restore()
    }
    expect(defaultClock.epochMs()).not.toBe(1_077)
  })

  test('puts the former clock back, not the first', () => {
    const [a, b] = [testClock({ epochMs: 1 }), testClock({ epochMs: 2 })]
    const restoreA = useClock(a)
    const restoreB = b.install()
    expect(defaultClock.epochMs()).toBe(2)
    restoreB()
    expect(defaultClock.epochMs()).toBe(1)
    restoreA()
    expect(defaultClock.epochMs()).toBeGreaterThan(2)
  })

  test('is one for both copies of the package', async () => {
    vi.resetModules()
    const copy = await import('../../src/core/clock.ts')
    const restore = useClock(testClock({ epochMs: 4 }))
    expect(copy.defaultClock).not.toBe(defaultClock)
    expect(copy.defaultClock.epochMs()).toBe(4)
    restore()
  })
})

describe('a timer', () => {
  const DAY_MS = 86_400_000
  test('longer than Node can hold fires when it is due, and not before', () => {
    vi.useFakeTimers()
    const fire = vi.fn()
    defaultClock.setTimer(fire, 60 * DAY_MS)
    vi.advanceTimersByTime(60 * DAY_MS - 1)
    expect(fire).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1)
    expect(fire).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([0, 30])('of 60 days is cleared after %s days', (days) => {
    vi.useFakeTimers()
    const fire = vi.fn()
    const timer = defaultClock.setTimer(fire, 60 * DAY_MS)
    vi.advanceTimersByTime(days * DAY_MS)
    timer.clear()
    timer.clear()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60 * DAY_MS)
    expect(fire).not.toHaveBeenCalled()
  })

  test('of exactly the longest delay needs no second hop', () => {
    vi.useFakeTimers()
    const set = vi.spyOn(globalThis, 'setTimeout')
    const fire = vi.fn()
    defaultClock.setTimer(fire, 2_147_483_647)
    vi.advanceTimersByTime(2_147_483_647)
    expect(fire).toHaveBeenCalledOnce()
    expect(set).toHaveBeenCalledOnce()
  })

  test('keeps the process alive unless it is in the background', () => {
    const unref = vi.fn()
    const set = vi.spyOn(globalThis, 'setTimeout').mockImplementation((() => ({ unref })) as never)
    defaultClock.setTimer(() => {}, 10)
    defaultClock.setTimer(() => {}, 10, { background: false })
    expect(unref).not.toHaveBeenCalled()
    defaultClock.setTimer(() => {}, 10, { background: true })
    expect(unref).toHaveBeenCalledOnce()
    set.mockRestore()
  })
})

describe('the test clock', () => {
  test('fires in order of time, then of setting, each at its own time', async () => {
    const clock: Clock & ReturnType<typeof testClock> = testClock({ epochMs: 1_000 })
    const seen: Array<[string, number, number]> = []
    const set = (name: string, ms: number) => clock.setTimer(() => seen.push([name, clock.nowMs(), clock.epochMs()]), ms)
    set('c', 20)
    set('a', 10)
    set('b', 10)
    set('now', -5)
    await clock.advance(19)
    expect(seen).toEqual([
      ['now', 0, 1_000],
      ['a', 10, 1_010],
      ['b', 10, 1_010],
    ])
    expect([clock.nowMs(), clock.pending]).toEqual([19, 1])
    await clock.advance(1)
    expect(seen.at(-1)).toEqual(['c', 20, 1_020])
  })

  test('lets promises run between two timers, and fires those set on the way', async () => {
    const clock = testClock()
    const seen: string[] = []
    clock.setTimer(() => void Promise.resolve().then(() => seen.push('after a')), 10)
    clock.setTimer(() => seen.push('b'), 10)
    clock.setTimer(() => void clock.setTimer(() => seen.push('set on the way'), 5), 20)
    await clock.advance(25)
    expect(seen).toEqual(['after a', 'b', 'set on the way'])
    expect(clock.pending).toBe(0)
  })

  test('starts timers that pending promises set before it moves', async () => {
    const clock = testClock()
    const seen: number[] = []
    void Promise.resolve().then(() => clock.setTimer(() => seen.push(clock.nowMs()), 10))
    await clock.advance(10)
    expect(seen).toEqual([10])
  })

  test('goes to the next timer however far away, and says when there is none', async () => {
    const clock = testClock()
    const fire = vi.fn()
    clock.setTimer(fire, 1e9)
    expect(await clock.next()).toBe(true)
    expect(fire).toHaveBeenCalledOnce()
    expect(clock.nowMs()).toBe(1e9)
    expect(await clock.next()).toBe(false)
  })

  test('forgets a cleared timer, one that is cleared by another on the way too', async () => {
    const clock = testClock()
    const fire = vi.fn()
    const timer = clock.setTimer(fire, 10)
    const later = clock.setTimer(fire, 30)
    timer.clear()
    timer.clear()
    clock.setTimer(() => later.clear(), 20)
    expect(clock.pending).toBe(2)
    await clock.advance(100)
    expect(fire).not.toHaveBeenCalled()
  })

  test('stands on the first day of 2026 where nothing is said', () => {
    expect(new Date(testClock().epochMs()).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  })
})
