import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { creation } from '../../../src/testing/contracts/journal-store.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { watched } from './events.ts'
import { engineError, faulty } from './faulty.ts'
import { type Handle, inFolder, openHandle } from './support.ts'

interface Scene {
  readonly clock: TestClock
  readonly storage: Storage
  /** Another connection to the same file. */
  readonly other: Handle
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  await inFolder(async (at) => {
    const clock = testClock()
    const storage = sqliteStorage(at('saga.db'), { driver: 'libsql', clock, lockedMaxMs: 1_000 })
    await storage.open()
    const other = openHandle('libsql', at('saga.db'))
    try {
      await body({ clock, storage, other })
    } finally {
      await storage.close()
      other.close()
    }
  })
}

describeWith('libsql', 'while another connection writes', () => {
  test('a write waits, and is made once the lock is free', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const append = watched(storage.sagaJournal.append([creation('a')]))
      await clock.advance(900)
      expect(append.outcome()).toBe('pending')
      other.exec('commit')
      await clock.advance(16)
      expect(append.outcome()).toEqual([{ ok: true }])
      expect(clock.pending).toBe(0)
    }))

  test('a write that waited for lockedMaxMs is refused, with nothing written', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const append = watched(storage.sagaJournal.append([creation('a')]))
      await clock.advance(999)
      expect(append.outcome()).toBe('pending')
      await clock.advance(1)
      expect(append.outcome()).toMatchObject({
        code: 'STORAGE_LOCKED',
        message: expect.stringMatching(/saga\.db has been locked by another connection for 1000 ms \(lockedMaxMs\)$/),
        effect: 'none',
        retry: 'later',
      })
      expect(clock.pending).toBe(0)
      other.exec('commit')
      await clock.advance(1_000)
      expect(await storage.sagaJournal.head('a')).toBeUndefined()
    }))

  test('opening waits in the same way', () =>
    scene(async ({ clock, storage, other }) => {
      await storage.close()
      other.exec('begin immediate')
      const refused = watched(storage.open())
      await clock.advance(1_000)
      await clock.advance(16)
      expect(refused.outcome()).toMatchObject({ code: 'STORAGE_LOCKED' })
      const opened = watched(storage.open())
      await clock.advance(500)
      other.exec('commit')
      await clock.advance(16)
      expect(opened.outcome()).toBeUndefined()
      expect(await storage.health()).toEqual({ status: 'ok' })
    }))

  test('a waiting call leaves at once when its signal aborts, and those behind it go on', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const controller = new AbortController()
      const left = watched(storage.sagaJournal.append([creation('left')], controller.signal))
      const claim = watched(storage.sagaJournal.claim('one', { shards: 1, leaseMs: 1_000, signal: controller.signal }))
      const stays = watched(storage.sagaJournal.append([creation('stays')]))
      await clock.advance(100)
      controller.abort()
      await clock.advance(0)
      for (const { outcome } of [left, claim]) expect(outcome()).toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(stays.outcome()).toBe('pending')
      other.exec('commit')
      await clock.advance(16)
      expect(stays.outcome()).toEqual([{ ok: true }])
      expect(await storage.sagaJournal.head('left')).toBeUndefined()
      expect(clock.pending).toBe(0)
    }))

  test('writes are made in the order in which they were asked for', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const first = watched(storage.sagaJournal.append([creation('a', { inputHash: 'first' })]))
      await clock.advance(50)
      other.exec('commit')
      const second = watched(storage.sagaJournal.append([creation('a', { inputHash: 'second' })]))
      await clock.advance(32)
      expect(first.outcome()).toEqual([{ ok: true }])
      expect(second.outcome()).toMatchObject([{ ok: false, reason: 'exists', head: { inputHash: 'first' } }])
    }))

  test('reads see what is committed and wait for nobody', () =>
    scene(async ({ storage, other }) => {
      await storage.sagaJournal.append([creation('a')])
      other.exec("begin immediate; update holdfast_saga set state = 'stuck'")
      expect(await storage.sagaJournal.head('a')).toMatchObject({ state: 'running' })
      other.exec('rollback')
    }))

  test('closing lets those who wait finish, and refuses who comes later', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const append = watched(storage.sagaJournal.append([creation('a')]))
      const closed = watched(storage.close())
      await expect(storage.sagaJournal.head('a')).rejects.toMatchObject({ code: 'NOT_STARTED' })
      const reopened = watched(storage.open())
      await clock.advance(100)
      expect([append.outcome(), closed.outcome()]).toEqual(['pending', 'pending'])
      other.exec('commit')
      await clock.advance(32)
      expect([append.outcome(), closed.outcome(), reopened.outcome()]).toEqual([[{ ok: true }], undefined, undefined])
      expect(await storage.sagaJournal.head('a')).toMatchObject({ seq: 1 })
    }))

  test('closing ends when those who wait have given up', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const append = watched(storage.sagaJournal.append([creation('a')]))
      const closed = watched(storage.close())
      await clock.advance(1_000)
      await clock.advance(16)
      expect(append.outcome()).toMatchObject({ code: 'STORAGE_LOCKED' })
      expect(closed.outcome()).toBeUndefined()
      other.exec('commit')
    }))

  test('a thousand calls may wait, one more is refused at once', () =>
    scene(async ({ clock, storage, other }) => {
      other.exec('begin immediate')
      const waiting = Array.from({ length: 1_000 }, () => storage.sagaJournal.release('nobody'))
      await expect(storage.sagaJournal.release('nobody')).rejects.toMatchObject({ code: 'STORAGE_LOCKED' })
      const closed = watched(storage.close())
      other.exec('commit')
      await clock.advance(100)
      expect(await Promise.all(waiting)).toHaveLength(1_000)
      await clock.advance(0)
      expect(closed.outcome(), 'closing waits behind them, and is not refused').toBeUndefined()
    }))

  test('a signal that outlives many waits is left by each', () =>
    scene(async ({ clock, storage, other }) => {
      const { signal } = new AbortController()
      for (const end of ['commit', 'rollback']) {
        other.exec('begin immediate')
        const waiting = Array.from({ length: 5 }, () => storage.sagaJournal.claim('one', { shards: 1, leaseMs: 1_000, signal }))
        await clock.advance(50)
        expect(getEventListeners(signal, 'abort')).toHaveLength(5)
        other.exec(end)
        await clock.advance(100)
        await Promise.all(waiting)
        expect(getEventListeners(signal, 'abort')).toEqual([])
      }
    }))

  test('with lockedMaxMs 0 nothing waits', () =>
    scene(async ({ storage, other }) => {
      const path = (other.prepare('pragma database_list').get() as { file: string }).file
      const hasty = sqliteStorage(path, { driver: 'libsql', lockedMaxMs: 0 })
      await hasty.open()
      other.exec('begin immediate')
      await expect(hasty.sagaJournal.append([creation('a')])).rejects.toMatchObject({ code: 'STORAGE_LOCKED' })
      other.exec('commit')
      await hasty.close()
      expect(await storage.sagaJournal.head('a')).toBeUndefined()
    }))

  test('an opening looks at the pages once, however often it has to ask for the lock', async () => {
    const clock = testClock()
    const handle = faulty('libsql')
    let checks = 0
    let begins = 0
    handle.before = (sql) => {
      if (sql.includes('quick_check')) checks += 1
      if (sql !== 'BEGIN IMMEDIATE') return undefined
      begins += 1
      return engineError('SQLITE_BUSY')
    }
    const storage = sqliteStorage(handle, { clock, lockedMaxMs: 1_000 })
    const opening = watched(storage.open())
    await clock.advance(900)
    expect(opening.outcome()).toBe('pending')
    expect(begins).toBeGreaterThan(50)
    handle.before = () => undefined
    await clock.advance(16)
    expect(opening.outcome()).toBeUndefined()
    expect(checks).toBe(1)
    await storage.close()
    handle.close()
  })
})
