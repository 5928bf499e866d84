import { expect, test } from 'vitest'
import { memoryStorage, memoryStore } from '../../../src/adapters/memory/index.ts'
import { sagaJournalContract } from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

for (const { promise, name, run } of sagaJournalContract) {
  test(`promise ${promise}: ${name}`, async () => {
    await expect(
      run(async () => {
        const clock = testClock()
        const store = memoryStore()
        return {
          journal: () => memoryStorage({ clock, store }).sagaJournal,
          passMs: (ms) => clock.advance(ms),
          close: async () => {},
        }
      }),
    ).resolves.toBeUndefined()
  })
}
