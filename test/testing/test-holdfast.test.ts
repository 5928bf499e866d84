import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as testing from '../../src/app/testing.ts'
import { type Holdfast, type HoldfastError, saga } from '../../src/index.ts'
import { sagaJournalContract, type TestClock, testClock } from '../../src/testing/index.ts'

const { testHoldfast } = testing

/** Fails twice, with ten seconds between attempts. */
function slow() {
  const attempts: number[] = []
  const flow = (clock: { nowMs(): number }) =>
    saga('slow', { version: 1, input: z.object({}) })
      .pivot('try', {
        run: async () => {
          attempts.push(clock.nowMs())
          if (attempts.length < 3) throw new Error('not yet')
        },
        retry: { attempts: 3, delayMs: 10_000, backoff: 'constant' },
      })
      .returns(() => 'at last')
  return { attempts, flow }
}

test('time passes when the test says so', async () => {
  const { attempts, flow } = slow()
  const clock = testClock()
  const definition = flow(clock)
  const hf = testHoldfast({ sagas: [definition], clock })
  await hf.start()
  const handle = await hf.sagas.start(definition, {}, { id: 's1' })
  await hf.clock.advance(9_999)
  expect(attempts).toHaveLength(1)
  await hf.clock.advance(10_001)
  expect(attempts).toHaveLength(3)
  expect(await handle.result()).toBe('at last')
  await hf.stop()
  expect(hf.clock.pending).toBe(0)
})

test('an hour passes without the test growing old', async () => {
  const hf = testHoldfast()
  await hf.start()
  const startedEpochMs = hf.clock.epochMs()
  await hf.clock.advance(3_600_000)
  expect(hf.clock.epochMs() - startedEpochMs).toBe(3_600_000)
  expect((await hf.health()).ready).toBe(true)
  await hf.stop()
})

test('needs nothing, and takes what holdfast takes', () => {
  expectTypeOf(testHoldfast()).toExtend<Holdfast & { readonly clock: TestClock }>()
  const refused = expect.objectContaining({ code: 'INVALID_OPTIONS' }) as HoldfastError
  // @ts-expect-error storage is its own
  expect(() => testHoldfast({ storage: {} })).toThrow(refused)
  expect(() => testHoldfast({ sagas: [{} as never] })).toThrow(refused)
  expect(() => testHoldfast({ clock: {} as never })).toThrow(refused)
})

test('holdfast/testing has the clock, the application and the contract kits', () => {
  expect(testing).toMatchObject({ testClock, testHoldfast, sagaJournalContract })
})
