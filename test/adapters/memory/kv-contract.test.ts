import { describe, expect, test } from 'vitest'
import { memoryStorage, memoryStore } from '../../../src/adapters/memory/index.ts'
import { keyValueContract, leaseContract } from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

const stand = async () => {
  const clock = testClock()
  const store = memoryStore()
  return {
    keyValue: () => memoryStorage({ clock, store }).keyValue,
    lease: () => memoryStorage({ clock, store }).lease,
    passMs: (ms: number) => clock.advance(ms),
    close: async () => expect(clock.pending).toBe(0),
  }
}

describe('KeyValue', () => {
  for (const { promise, name, run } of keyValueContract)
    test(`promise ${promise}: ${name}`, () => expect(run(stand)).resolves.toBeUndefined())
})

describe('Lease', () => {
  for (const { promise, name, run } of leaseContract) test(`promise ${promise}: ${name}`, () => expect(run(stand)).resolves.toBeUndefined())
})
