import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Play, play, type Scenario } from './crash-lab.ts'

const plays: fc.Arbitrary<readonly Play[]> = fc.array(fc.constantFrom<Play>('ok', 'declined', 'down', 'before', 'lost', 'late'), {
  maxLength: 3,
})
// Undos end well within their attempts; a decline would park them, which is another test.
const undos: fc.Arbitrary<readonly Play[]> = fc.array(fc.constantFrom<Play>('ok', 'down', 'before', 'lost', 'late'), { maxLength: 2 })

const scenarios: fc.Arbitrary<Scenario> = fc
  .array(fc.record({ run: plays, undo: undos }), { minLength: 1, maxLength: 4 })
  .chain((steps) => fc.record({ steps: fc.constant(steps), pivot: fc.integer({ min: 0, max: steps.length }) }))
  // After the pivot a decline parks the saga.
  .map(({ steps, pivot }) => ({
    pivot,
    steps: steps.map((step, i) => (i > pivot ? { ...step, run: step.run.filter((each) => each !== 'declined') } : step)),
  }))

const expectKept = async (scenario: Scenario, crashes: readonly number[]) => {
  const { broken, points } = await play(scenario, new Set(crashes))
  expect(broken, `crashes at ${crashes}`).toEqual([])
  return points
}

test('a saga keeps its promises wherever its process crashes once', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const points = await expectKept(scenario, [])
      for (let point = 0; point < points; point++) await expectKept(scenario, [point])
    }),
    { numRuns: 25 },
  )
})

test('a saga keeps its promises however often its process crashes', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 2, maxLength: 6 }), async (scenario, crashes) => {
      await expectKept(scenario, crashes)
    }),
    { numRuns: 150 },
  )
})
