import { expect, test } from 'vitest'
import { memoryStorage } from '../../../src/adapters/memory/index.ts'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { creation, record } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'

const wrong: [string, object][] = [
  ['the id of a saga must be a text, got 7', { ...creation('a'), id: 7 }],
  ['a: state must be one of', { ...creation('a'), state: 'lost' }],
  ['a: version must be a whole number, got 1.5', creation('a', { version: 1.5 })],
  ['a: version must be a whole number, got 9007199254740992', creation('a', { version: 2 ** 53 })],
  ['a: shard must be a whole number, got true', creation('a', { shard: true as never })],
  ['a: inputHash must be a text, got undefined', creation('a', { inputHash: undefined as never })],
  ['a: seq must be a whole number, got 1n', { ...creation('a'), records: [{ ...record(1), seq: 1n }] }],
  ['a: atEpochMs must be a number, got NaN', { ...creation('a'), records: [record(1, { atEpochMs: Number.NaN })] }],
  ['a: started: data must be a text, got an object', { ...creation('a'), records: [record(1, { data: {} as never })] }],
]

/** Drivers end the process, round, or throw for such values, each in its own way: none may reach one. */
async function refusesAll(storage: Storage): Promise<void> {
  await storage.open()
  for (const [reason, write] of wrong) {
    await expect(storage.sagaJournal.append([creation('good'), write as never])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      effect: 'none',
      message: expect.stringContaining(reason),
    })
  }
  for (const options of [
    { shards: 0, leaseMs: 1 },
    { shards: 1.5, leaseMs: 1 },
    { shards: 1, leaseMs: 0 },
    { shards: 1, leaseMs: Number.POSITIVE_INFINITY },
  ])
    await expect(storage.sagaJournal.claim('one', options)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  for (const filter of [{ states: ['lost'] }, { shard: -1 }, { saga: 7 }, { order: 'desc' }])
    await expect(storage.sagaJournal.list(filter as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  expect(await storage.sagaJournal.list({})).toEqual([])
  await storage.close()
}

test('memory refuses values that no engine would keep', () => refusesAll(memoryStorage()))

describeWith('libsql', 'SQLite', () => {
  test('refuses values that no engine would keep', () => refusesAll(sqliteStorage(':memory:', { driver: 'libsql' })))
})
