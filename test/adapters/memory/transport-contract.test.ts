import { expect, test } from 'vitest'
import { memoryTransport } from '../../../src/adapters/memory/index.ts'
import { transportContract } from '../../../src/testing/contracts/transport.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

for (const { promise, name, run } of transportContract) {
  test(`memory, promise ${promise}: ${name}`, async () => {
    await expect(
      run(async (bounds) => {
        const clock = testClock()
        const transport = memoryTransport({ clock, ...bounds })
        return {
          transport,
          passMs: (ms) => clock.advance(ms),
          close: async () => {
            await transport.close()
            expect(clock.pending, 'timers left behind').toBe(0)
          },
        }
      }),
    ).resolves.toBeUndefined()
  })
}
