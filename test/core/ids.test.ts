import fc from 'fast-check'
import { beforeEach, describe, expect, test, vi } from 'vitest'

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
const counterOf = (id: string): number => Number.parseInt(id.slice(15, 18), 16)

// A module of its own for each test: ids remember the last one.
let uuidv7: (epochMs?: number) => string
beforeEach(async () => {
  vi.resetModules()
  ;({ uuidv7 } = await import('../../src/core/ids.ts'))
})

describe('uuidv7', () => {
  test('has the form of RFC 9562 and the time in front', () => {
    const id = uuidv7(0x0123_4567_89ab)
    expect(id).toMatch(FORM)
    expect(id.slice(0, 13)).toBe('01234567-89ab')
    expect(uuidv7(Date.UTC(2026, 0, 1))).toMatch(FORM)
  })

  test('takes the time of the process where none is given', () => {
    const beforeMs = Date.now()
    const ms = timeOf(uuidv7())
    expect(ms).toBeGreaterThanOrEqual(beforeMs)
    expect(ms).toBeLessThanOrEqual(Date.now())
  })

  test('counts within one millisecond, and goes on in the next one when the counter is full', () => {
    const ids = Array.from({ length: 10_000 }, () => uuidv7(1_000))
    expect(ids).toEqual([...ids].sort())
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((id) => FORM.test(id))).toBe(true)
    for (let i = 1; i < ids.length; i++) {
      const [before, id] = [ids[i - 1] as string, ids[i] as string]
      const full = counterOf(before) === 0xfff
      expect([timeOf(id), counterOf(id)]).toEqual(full ? [timeOf(before) + 1, 0] : [timeOf(before), counterOf(before) + 1])
    }
    expect(timeOf(ids.at(-1) as string)).toBeGreaterThan(1_001)
  })

  test('begins a millisecond in the lower half of the counter, at random', () => {
    const first = Array.from({ length: 500 }, (_, n) => counterOf(uuidv7(n + 1)))
    expect(Math.max(...first)).toBeLessThanOrEqual(0x7ff)
    expect(Math.max(...first)).toBeGreaterThan(0x3ff)
    expect(new Set(first).size).toBeGreaterThan(200)
  })

  test('sorts as made whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.double()), { minLength: 2, maxLength: 60 }), (times) => {
        const ids = times.map((ms) => uuidv7(ms))
        expect(ids).toEqual([...ids].sort())
        expect(new Set(ids).size).toBe(ids.length)
        for (const id of ids) expect(id).toMatch(FORM)
      }),
    )
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 48, -5])('is not spoilt by a clock that says %s', (ms) => {
    const before = uuidv7(5_000)
    const odd = uuidv7(ms)
    const after = uuidv7(6_000)
    expect([before, odd, after]).toEqual([before, odd, after].sort())
    for (const id of [before, odd, after]) expect(id).toMatch(FORM)
    expect([timeOf(odd), timeOf(after)]).toEqual([5_000, 6_000])
  })

  test('writes the last time of 48 bits, and whole milliseconds', () => {
    expect(timeOf(uuidv7(1_234.9))).toBe(1_234)
    expect(timeOf(uuidv7(2 ** 48 - 1))).toBe(2 ** 48 - 1)
  })

  test('draws its last 62 bits anew for each', () => {
    const tails = Array.from({ length: 1_000 }, () => uuidv7(1).slice(19))
    expect(new Set(tails).size).toBe(tails.length)
    expect(new Set(tails.map((tail) => tail[0]))).toEqual(new Set(['8', '9', 'a', 'b']))
    for (const at of [1, 5, 16]) expect(new Set(tails.map((tail) => tail[at])).size).toBe(16)
  })
})
