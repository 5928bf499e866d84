import { expect, test } from 'vitest'
import { memoryStorage, memoryStore } from '../../../src/adapters/memory/index.ts'
import { creation, headOf, record } from '../../../src/testing/contracts/journal-store.ts'

test('keeps its content from close to open', async () => {
  const storage = memoryStorage()
  expect(storage).toMatchObject({ engine: 'memory', ports: ['sagaJournal', 'eventStore', 'keyValue', 'lease', 'notifier', 'checkpoints'] })
  await storage.open()
  await storage.sagaJournal.append([creation('a')])
  await storage.close()
  expect(await storage.health()).toEqual({ status: 'down', reason: 'the memory storage is not open' })
  await storage.open()
  await storage.migrate()
  expect(await storage.health()).toEqual({ status: 'ok' })
  expect(await storage.sagaJournal.read('a')).toEqual([record(1)])
})

test('shares its content with those that are given the same store, and with nobody else', async () => {
  const store = memoryStore()
  const [first, second, other] = [memoryStorage({ store }), memoryStorage({ store }), memoryStorage()]
  for (const storage of [first, second, other]) await storage.open()
  await first.sagaJournal.append([creation('a')])
  expect(await second.sagaJournal.head('a')).toEqual(headOf('a'))
  expect(await other.sagaJournal.head('a')).toBeUndefined()
})

test('gives out what nobody can change', async () => {
  const storage = memoryStorage()
  await storage.open()
  await storage.sagaJournal.append([creation('a')])
  const [first] = await storage.sagaJournal.read('a')
  const head = await storage.sagaJournal.head('a')
  expect(() => Object.assign(first ?? {}, { data: '"changed"' })).toThrow(TypeError)
  expect(() => Object.assign(head ?? {}, { seq: 9 })).toThrow(TypeError)
  const records = (await storage.sagaJournal.read('a')) as unknown[]
  records.push('more')
  expect(await storage.sagaJournal.read('a')).toHaveLength(1)
})

test.each([
  ['an unknown option', { size: 1 }, 'unknown option size'],
  ['a store of another kind', { store: {} }, 'store must be made by memoryStore()'],
  ['a clock that is none', { clock: Date }, 'clock must be a clock'],
])('refuses %s', (_, options, reason) => {
  expect(() => memoryStorage(options as object)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) }),
  )
})

test('refuses a checkpoint that is none', async () => {
  const { open, checkpoints } = memoryStorage()
  await open()
  for (const write of [undefined, null, 'a'])
    await expect(checkpoints.save(write as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
})
