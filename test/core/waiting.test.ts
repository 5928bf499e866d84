import { describe, expect, test, vi } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import { sweepLater } from '../../src/core/sweep.ts'
import { type Due, TimerList } from '../../src/core/timer-list.ts'
import { joinSignal, leaveRing, leaveSignal, Ring, Waiting } from '../../src/core/waiting.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { countedSignal, settled } from './support.ts'

class Named extends Waiting {
  constructor(
    readonly name: string,
    readonly seen: unknown[],
    readonly and: () => void = () => {},
  ) {
    super()
  }
  abortedBy(reason: unknown): void {
    this.seen.push([this.name, reason])
    this.and()
  }
}

describe('a ring', () => {
  test('tells everybody in order of arrival, once', () => {
    const ring = new Ring()
    const seen: unknown[] = []
    for (const name of ['a', 'b', 'c']) ring.join(new Named(name, seen))
    expect(ring.empty).toBe(false)
    ring.fire('why')
    ring.fire('again')
    expect(seen).toEqual([
      ['a', 'why'],
      ['b', 'why'],
      ['c', 'why'],
    ])
    expect(ring.empty).toBe(true)
  })

  test('lets anybody leave from anywhere, while it tells too', () => {
    const ring = new Ring()
    const seen: unknown[] = []
    const b = new Named('b', seen)
    const d = new Named('d', seen)
    ring.join(new Named('a', seen, () => leaveRing(d)))
    ring.join(b)
    ring.join(new Named('c', seen, () => ring.join(new Named('late', seen))))
    ring.join(d)
    leaveRing(b)
    leaveRing(b)
    ring.fire(1)
    expect(seen.map((each) => (each as unknown[])[0])).toEqual(['a', 'c', 'late'])
  })

  test('tells whoever has left it already', () => {
    const [ring, seen] = [new Ring(), [] as unknown[]]
    const a = new Named('a', seen, () => seen.push([a.prev, a.next, ring.empty]))
    ring.join(a)
    ring.fire(1)
    expect(seen).toEqual([
      ['a', 1],
      [null, null, true],
    ])
  })

  test('lets one that has left join again', () => {
    const [ring, seen] = [new Ring(), [] as unknown[]]
    const a = new Named('a', seen)
    ring.join(a)
    leaveRing(a)
    expect(ring.empty).toBe(true)
    ring.join(a)
    ring.fire(1)
    expect(seen).toEqual([['a', 1]])
  })

  test('is told nothing itself', () => {
    expect(new Ring().abortedBy()).toBe(undefined)
  })
})

describe('a signal', () => {
  test('carries one listener for many, and none after the turn in which the last one left', async () => {
    const counted = countedSignal()
    const waiting = Array.from({ length: 100 }, (_, n) => new Named(String(n), []))
    for (const each of waiting) joinSignal(counted.signal, each)
    expect(counted.listeners).toBe(1)
    for (const each of waiting) leaveSignal(counted.signal, each)
    expect(counted.listeners).toBe(1)
    await settled()
    expect(counted.listeners).toBe(0)
  })

  test('keeps its listener while somebody came back within the turn, and takes a new one after', async () => {
    const counted = countedSignal()
    const seen: unknown[] = []
    const a = new Named('a', seen)
    joinSignal(counted.signal, a)
    leaveSignal(counted.signal, a)
    joinSignal(counted.signal, a)
    await settled()
    expect(counted.listeners).toBe(1)
    leaveSignal(counted.signal, a)
    await settled()
    joinSignal(counted.signal, a)
    expect(counted.listeners).toBe(1)
    counted.abort('why')
    expect(seen).toEqual([['a', 'why']])
  })

  test('leaving a signal that nobody waits on is nothing', () => {
    expect(() => leaveSignal(new AbortController().signal, new Named('a', []))).not.toThrow()
  })
})

describe('sweeping', () => {
  test('comes once after the turn, and again when asked again', async () => {
    const thing = { awaitsSweep: false, sweep: vi.fn() }
    sweepLater(thing)
    sweepLater(thing)
    await Promise.resolve()
    expect(thing.sweep).not.toHaveBeenCalled()
    await settled()
    expect(thing.sweep).toHaveBeenCalledOnce()
    sweepLater(thing)
    await settled()
    expect(thing.sweep).toHaveBeenCalledTimes(2)
  })

  test('goes on after fake timers that were never run', async () => {
    const [during, after] = [
      { awaitsSweep: false, sweep: vi.fn() },
      { awaitsSweep: false, sweep: vi.fn() },
    ]
    vi.useFakeTimers()
    sweepLater(during)
    vi.useRealTimers()
    await settled()
    sweepLater(after)
    await settled()
    expect(during.sweep).toHaveBeenCalledOnce()
    expect(after.sweep).toHaveBeenCalledOnce()
  })

  test('lets what is asked for while it runs come in the next turn', async () => {
    const thing = {
      awaitsSweep: false,
      sweep: vi.fn(() => {
        if (thing.sweep.mock.calls.length < 3) sweepLater(thing)
      }),
    }
    sweepLater(thing)
    await settled()
    await settled()
    expect(thing.sweep).toHaveBeenCalledTimes(3)
  })
})

describe('timers of one delay', () => {
  class Entry implements Due {
    due: Due | null = null
    dueBefore: Due | null = null
    dueIn: TimerList | null = null
    constructor(
      readonly dueMs: number,
      readonly fire: () => void,
    ) {}
  }
  function made(delayMs = 100) {
    const clock = testClock()
    const set = vi.fn(clock.setTimer)
    const list = new TimerList(delayMs, { ...clock, setTimer: set } satisfies Clock)
    const seen: Array<[string, number]> = []
    const entry = (name: string) => new Entry(clock.nowMs() + delayMs, () => seen.push([name, clock.nowMs()]))
    const add = (name: string) => {
      const each = entry(name)
      list.add(each)
      return each
    }
    return { clock, set, list, seen, entry, add }
  }

  test('fire each at its own time, with one native timer at a time', async () => {
    const { clock, list, seen, add } = made()
    add('a')
    await clock.advance(30)
    add('b')
    add('c')
    expect(clock.pending).toBe(1)
    await clock.advance(200)
    expect(seen).toEqual([
      ['a', 100],
      ['b', 130],
      ['c', 130],
    ])
    expect([clock.pending, list.empty]).toEqual([0, true])
  })

  test('leave from anywhere, twice', async () => {
    const { clock, list, seen, add } = made()
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(add) as [Entry, Entry, Entry, Entry]
    list.remove(b)
    list.remove(b)
    list.remove(a)
    list.remove(d)
    expect(list.empty).toBe(false)
    add('e')
    await clock.advance(100)
    expect(seen.map(([name]) => name)).toEqual(['c', 'e'])
    list.remove(c)
    expect(list.empty).toBe(true)
  })

  test('do not mind one that never was in it, or has left', async () => {
    const { clock, list, seen, entry, add } = made()
    const gone = add('gone')
    list.remove(gone)
    add('a')
    list.remove(entry('never'))
    list.remove(gone)
    expect(list.empty).toBe(false)
    await clock.advance(100)
    expect(seen).toEqual([['a', 100]])
  })

  test('give the native timer back after the turn in which the list became empty', async () => {
    const { clock, list, add } = made()
    list.remove(add('a'))
    expect(clock.pending).toBe(1)
    await settled()
    expect(clock.pending).toBe(0)
    list.sweep()
  })

  test('share the native timer of one that left, and are not fired early by it', async () => {
    const { clock, set, list, seen, add } = made()
    const a = add('a')
    await clock.advance(60)
    list.remove(a)
    add('b')
    await settled()
    expect(set).toHaveBeenCalledTimes(1)
    await clock.advance(40)
    expect(seen).toEqual([])
    await clock.advance(60)
    expect(seen).toEqual([['b', 160]])
    expect(set.mock.calls.map(([, delayMs]) => delayMs)).toEqual([100, 60])
  })

  test('may be added and removed by one that fires', async () => {
    const { clock, list, seen, add, entry } = made()
    const last = entry('last')
    list.add(
      new Entry(100, () => {
        list.remove(last)
        add('again')
      }),
    )
    list.add(last)
    await clock.advance(300)
    expect(seen).toEqual([['again', 200]])
    expect(clock.pending).toBe(0)
  })

  test('count as due half a millisecond early, and wait at least one for what is left', () => {
    let nowMs = 0
    let tick = (): void => {}
    const delays: number[] = []
    const clock: Clock = {
      nowMs: () => nowMs,
      epochMs: () => nowMs,
      setTimer: (fire, delayMs) => {
        delays.push(delayMs)
        tick = fire
        return { clear: () => {} }
      },
    }
    const list = new TimerList(10, clock)
    const fired: string[] = []
    list.add(new Entry(10, () => fired.push('a')))
    list.add(new Entry(10.2, () => fired.push('b')))
    nowMs = 9.6
    tick()
    expect(fired).toEqual(['a'])
    expect(delays).toEqual([10, 1])
    nowMs = 9.7
    tick()
    expect(fired).toEqual(['a', 'b'])
  })
})
