import { expect, test } from 'vitest'
import { Link } from '../../../src/adapters/redis/link.ts'
import { remainingOf } from '../../../src/adapters/redis/replies.ts'
import { hello } from '../../../src/adapters/redis/scripts.ts'
import type { Wire } from '../../../src/adapters/redis/wire.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

const silent: Wire = {
  usable: true,
  evalSha: () => new Promise(() => {}),
  evalText: () => new Promise(() => {}),
  listen: () => ({ listening: Promise.resolve(), ended: Promise.resolve(), end: () => {} }),
}

test('a call that is given up, by its caller or by its bound, leaves no timer behind', async () => {
  const clock = testClock()
  const link = new Link({ wire: silent, prefix: 'a', timeoutMs: 100, clock })
  const caller = new AbortController()
  const call = { name: 'get', writes: false }
  const aborted = link.run(hello, [], call, caller.signal)
  caller.abort()
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
  expect(clock.pending).toBe(0)
  const late = link.run(hello, [], call)
  late.catch(() => {})
  await clock.advance(100)
  await expect(late).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect(clock.pending).toBe(0)
})

test.each([
  [-1, Number.POSITIVE_INFINITY],
  [0, 1],
  [1, 1],
  [20, 20],
])('a key of which Redis says that %i ms are left has %d', (pttl, remainingMs) => {
  expect(remainingOf(String(pttl))).toBe(remainingMs)
})
