import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anything, guardsOnly, type Plan, type Trace, traceOf } from './traces.ts'

/** What has to be the same however parts are put together. Effects may be less certain in nested frames, never less true. */
const essence = ({ guards, answer, answeredMs, begun, keys }: Trace) => ({ guards, answer, answeredMs, begun, keys })

/** What holds of any composition, whatever happens to it. */
function checkEnds(plan: Plan, trace: Trace): void {
  expect(trace.left).toMatchObject({ timers: 0, listeners: 0 })
  expect(trace.left.listenersAtMost).toBeLessThanOrEqual(1)
  expect(trace.answeredMs).not.toBeNaN()
  if (trace.effect === 'none') expect(trace.begun).toEqual([])
  for (const [at, part] of plan.parts.entries()) {
    if (part.kind !== 'guard') continue
    const events = (trace.guards[at] as readonly string[]).map((event) => event.split(' ')[0])
    const count = (name: string) => events.filter((event) => event === name).length
    expect(events).not.toContain('wrong')
    expect([at, 'leave', count('leave')]).toEqual([at, 'leave', count('admitted')])
    expect([at, 'release', count('release')]).toEqual([at, 'release', part.keeps ? count('admitted') : 0])
    // Never a release before its leave.
    let open = 0
    for (const event of events) {
      if (event === 'leave') open += 1
      if (event === 'release') open -= 1
      if (part.keeps) expect(open).toBeGreaterThanOrEqual(0)
    }
  }
}

const alone = (plan: Plan): boolean => plan.parts.every(({ kind }) => kind !== 'retry')

/** With one attempt: guards enter outermost first, and end innermost first. */
function checkOrder(plan: Plan, trace: Trace): void {
  if (!alone(plan)) return
  const order = (event: string) => trace.order.filter((each) => each.split(/[: ]/)[1] === event).map((each) => Number(each.split(':')[0]))
  const entered = order('enter')
  expect(entered).toEqual([...entered].sort((a, b) => a - b))
  // Where nothing was abandoned, everything ends from the inside out.
  if (plan.parts.some(({ kind }) => kind === 'timeout') || plan.abortMs !== undefined || plan.deadlineMs !== undefined) return
  const left = order('leave')
  expect(left).toEqual([...left].sort((a, b) => b - a))
  const released = order('release')
  expect(released).toEqual([...released].sort((a, b) => b - a))
}

/** A guard that makes calls wait has to listen to the caller; frames differ in how soon they do without it. */
const polite = (plan: Plan): boolean => plan.parts.every((part) => part.kind !== 'guard' || part.waitMs === undefined || part.listens)

/**
 * A time-out that finds its call still waiting in the same frame knows that nothing has happened, so a retry counts it as turned away. One
 * that finds it in a frame further in cannot know, and it counts as an attempt.
 */
function unsure({ parts }: Plan): boolean {
  const retries = parts.findIndex(({ kind }) => kind === 'retry')
  const timeouts = parts.findIndex(({ kind }, at) => kind === 'timeout' && at > retries)
  return retries >= 0 && timeouts >= 0 && parts.some((part, at) => part.kind === 'guard' && part.waitMs !== undefined && at > timeouts)
}

async function agree(plan: Plan): Promise<void> {
  const fused = await traceOf(plan, 'fused')
  checkEnds(plan, fused)
  checkOrder(plan, fused)
  const nested = await traceOf(plan, 'identity')
  checkEnds(plan, nested)
  checkOrder(plan, nested)
  if (polite(plan) && !unsure(plan)) expect(essence(nested)).toEqual(essence(fused))
}

describe('fused and nested frames', () => {
  test('tell guards the same, at the same times', async () => {
    await fc.assert(fc.asyncProperty(guardsOnly, agree), { numRuns: 700 })
  }, 120_000)

  test('tell them the same with retries, fallbacks and wrappers anywhere', async () => {
    await fc.assert(fc.asyncProperty(anything, agree), { numRuns: 700 })
  }, 120_000)
})

test('a call that is aborted before its second attempt begins does not say that nothing happened', async () => {
  const waits = { foreign: false, keeps: false, timed: false, otherClock: false, timeless: true, answer: 'permit', listens: true } as const
  const trace = await traceOf(
    {
      parts: [{ kind: 'retry' }, { kind: 'guard', waitMs: 2.01, ...waits }, { kind: 'timeout', timeoutMs: 1.0007, otherClock: false }],
      work: 'throws',
      workMs: 0,
      holdMs: undefined,
      abortMs: 5.5,
      deadlineMs: undefined,
      readsSignal: false,
    },
    'fused',
  )
  expect(trace).toMatchObject({ answer: 'ABORTED', effect: 'unknown', begun: ['1 @2.01'] })
})

describe('policies()', () => {
  test('is associative, and nothing is its identity', async () => {
    await fc.assert(
      fc.asyncProperty(anything, fc.integer({ min: 0, max: 7 }), async (plan, cut) => {
        const whole = await traceOf(plan, 'fused')
        expect(await traceOf(plan, 'in two halves', cut)).toEqual(whole)
        expect(await traceOf(plan, 'one by one')).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  }, 120_000)
})
