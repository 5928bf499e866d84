import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { isDead, thisProcess } from '../../../src/adapters/sqlite/holder.ts'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { inFolder, openHandle } from './support.ts'

/** A wall clock that can be set, over a monotonic one. */
function settable(clock: TestClock): { readonly clock: Clock; readonly step: (ms: number) => void } {
  let offMs = 0
  return {
    clock: {
      nowMs: () => clock.nowMs(),
      epochMs: () => clock.epochMs() + offMs,
      setTimer: (fire, ms, options) => clock.setTimer(fire, ms, options),
    },
    step: (ms) => {
      offMs += ms
    },
  }
}

const options = { shards: 1, leaseMs: 10_000 }

describeWith('libsql', 'leases in SQLite', () => {
  test('end also when the wall clock was set back by a year, a lease length after they were last renewed', () =>
    inFolder(async (at) => {
      const time = testClock()
      const wall = settable(time)
      const [first, second] = [1, 2].map(() => sqliteStorage(at('saga.db'), { driver: 'libsql', clock: wall.clock }))
      if (first === undefined || second === undefined) throw new Error('unreachable')
      await first.open()
      await second.open()
      await first.sagaJournal.claim('one', options)
      const yearMs = 365 * 86_400_000
      wall.step(-yearMs)
      expect(await second.sagaJournal.claim('two', options)).toEqual([])
      await time.advance(6_000)
      await first.sagaJournal.claim('one', options)
      wall.step(-yearMs)
      expect(await second.sagaJournal.claim('two', options)).toEqual([])
      await time.advance(9_999)
      expect(await second.sagaJournal.claim('two', options)).toEqual([])
      await time.advance(1)
      expect(await second.sagaJournal.claim('two', options)).toMatchObject([{ fence: { shard: 0, epoch: 2 } }])
      await first.close()
      await second.close()
    }))

  test('of another process are not renewed by who has the same name', () =>
    inFolder(async (at) => {
      const clock = testClock()
      const storage = sqliteStorage(at('saga.db'), { driver: 'libsql', clock })
      await storage.open()
      await storage.sagaJournal.claim('one', options)
      const handle = openHandle('libsql', at('saga.db'))
      handle.exec("update holdfast_lease set holder = 'a process on another host'")
      expect(await storage.sagaJournal.claim('one', options)).toEqual([])
      await storage.sagaJournal.release('one')
      expect(await storage.sagaJournal.claim('one', options)).toEqual([])
      await clock.advance(10_000)
      expect(await storage.sagaJournal.claim('one', options)).toMatchObject([{ fence: { epoch: 2 } }])
      handle.close()
      await storage.close()
    }))
})

test('a holder is dead only where it is certain', () => {
  const mine = JSON.parse(thisProcess()) as [string, string, string, number, string]
  const [host, boot, pids, pid, started] = mine
  const holder = (...parts: unknown[]) => JSON.stringify(parts)
  expect(host).toBe(hostname())
  expect(isDead(thisProcess())).toBe(false)
  // No process has an id above the kernel's limit of 2^22.
  expect(isDead(holder(host, boot, pids, 2 ** 22 + 1, started))).toBe(true)
  expect(isDead(holder('elsewhere', boot, pids, 2 ** 22 + 1, started))).toBe(false)
  expect(isDead(holder(host, 'another boot', pids, 2 ** 22 + 1, started))).toBe(false)
  expect(isDead(holder(host, boot, 'another container', 2 ** 22 + 1, started))).toBe(false)
  // The same id, used again by a younger process: only Linux tells.
  expect(isDead(holder(host, boot, pids, pid, '1'))).toBe(started !== '')
  expect(isDead(holder(host, boot, pids, pid, ''))).toBe(false)
  for (const odd of ['', 'nonsense', '[]', 'null', holder(host, boot, pids, -1, started), holder(host, boot, pids, 'x', started)])
    expect(isDead(odd)).toBe(false)
})
