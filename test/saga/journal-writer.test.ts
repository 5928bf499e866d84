import { expect, test } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/ports/logger.ts'
import type { SagaJournal, SagaWrite } from '../../src/ports/saga-journal.ts'
import { JournalWriter } from '../../src/saga/journal-writer.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { errorOf, gate, journalWith, turns } from './world.ts'

const create = { saga: 's', version: 1, definitionHash: 'd', inputHash: 'i', shard: 0 }
const birth = (id: string, inputHash = 'i'): SagaWrite => ({
  id,
  create: { ...create, inputHash },
  records: [{ seq: 1, kind: 'started', step: null, atEpochMs: 1, data: '{}' }],
  state: 'running',
})

async function desk(replaced: (inner: SagaJournal) => Partial<SagaJournal>, limits = { queued: 100, inFlight: 1 }) {
  const clock = testClock()
  const inner = memoryStorage({ clock }).sagaJournal
  await inner.open()
  const journal = journalWith(inner, replaced(inner))
  return { clock, inner, writer: new JournalWriter({ journal, clock, logger: silentLogger, ...limits }) }
}

const lost = () => new HoldfastError('STORAGE_UNAVAILABLE', 'connection lost', { retry: 'later' })

test('writes what comes while an append is under way in one batch, with a verdict each', async () => {
  const batches: string[][] = []
  const first = gate()
  const { writer } = await desk((inner) => ({
    append: async (writes) => {
      batches.push(writes.map(({ id }) => id))
      if (batches.length === 1) await first.promise
      return inner.append(writes)
    },
  }))
  const a = writer.append(birth('a'))
  await turns(2)
  const others = [writer.append(birth('b')), writer.append(birth('a', 'other')), writer.append(birth('c'))]
  await turns(2)
  first.open()
  expect(await a).toEqual({ ok: true })
  expect(await Promise.all(others)).toMatchObject([{ ok: true }, { ok: false, reason: 'exists' }, { ok: true }])
  expect(batches).toEqual([['a'], ['b', 'a', 'c']])
})

test('has no more batches under way than it may', async () => {
  let underWay = 0
  let most = 0
  const { writer } = await desk(
    (inner) => ({
      append: async (writes) => {
        most = Math.max(most, ++underWay)
        await turns(3)
        underWay--
        return inner.append(writes)
      },
    }),
    { queued: 5_000, inFlight: 2 },
  )
  await Promise.all(Array.from({ length: 2_000 }, (_, i) => writer.append(birth(`s${i}`))))
  expect(most).toBe(2)
})

test('settles an append that was written although its answer was lost', async () => {
  let calls = 0
  const { writer, inner, clock } = await desk((inner) => ({
    append: async (writes) => {
      const verdicts = await inner.append(writes)
      if (++calls === 1) throw lost()
      return verdicts
    },
  }))
  const written = writer.append(birth('a'))
  await turns(3)
  expect(writer.isFailing).toBe(true)
  await clock.advance(50)
  expect(await written).toEqual({ ok: true })
  expect(writer.isFailing).toBe(false)
  expect((await inner.read('a')).length).toBe(1)
})

test('sends an append again that was not written, with growing delays, until the journal answers', async () => {
  let calls = 0
  const { writer, inner, clock } = await desk((inner) => ({
    append: (writes) => (++calls < 4 ? Promise.reject(lost()) : inner.append(writes)),
  }))
  const written = writer.append(birth('a'))
  await clock.advance(50 + 100)
  expect(calls).toBe(3)
  await clock.advance(200)
  expect(await written).toEqual({ ok: true })
  expect((await inner.read('a')).length).toBe(1)
})

test('answers what somebody else wrote as it is, not as its own', async () => {
  let calls = 0
  const { writer, clock } = await desk((inner) => ({
    append: async (writes) => {
      if (++calls > 1) return inner.append(writes)
      await inner.append([birth('a', 'other')])
      throw lost()
    },
  }))
  const written = writer.append(birth('a'))
  await clock.advance(50)
  expect(await written).toMatchObject({ ok: false, reason: 'exists', head: { inputHash: 'other' } })
})

test('has a write that can never be written fail alone', async () => {
  const { writer } = await desk(() => ({}))
  const [good, bad] = [writer.append(birth('a')), writer.append(birth('\ud800'))]
  expect(await errorOf(bad)).toMatchObject({ code: 'NOT_JSON', effect: 'none' })
  expect(await good).toEqual({ ok: true })
})

test('refuses one creation too many, and takes what a saga at work has to write', async () => {
  const { writer } = await desk(() => ({ append: () => new Promise(() => {}) }), { queued: 2, inFlight: 1 })
  void writer.append(birth('a'))
  void writer.append(birth('b'))
  expect(await errorOf(writer.append(birth('c')))).toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none', retry: 'later' })
  const { create: _, ...later } = birth('a')
  let refused = false
  writer.append(later).catch(() => {
    refused = true
  })
  await turns(2)
  expect(refused).toBe(false)
})

test('gives up when it is closed: what was sent may have been written, what was not was not', async () => {
  const { writer, clock } = await desk(() => ({ append: () => Promise.reject(lost()) }))
  const sent = writer.append(birth('a'))
  await turns(3)
  const waiting = writer.append(birth('b'))
  const ends = [errorOf(sent), errorOf(waiting)]
  writer.close()
  expect(await Promise.all(ends)).toMatchObject([
    { code: 'STORAGE_UNAVAILABLE', effect: 'unknown' },
    { code: 'STORAGE_UNAVAILABLE', effect: 'none' },
  ])
  expect(await errorOf(writer.append(birth('c')))).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
  expect(clock.pending).toBe(0)
})
