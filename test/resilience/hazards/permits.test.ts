// Slots, probes, turns and flights come back, whatever order the policies stand in and whatever happens to calls meanwhile.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createContext, policies } from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { countedSignal, settled } from '../support.ts'
import { everyPolicy } from './every-policy.ts'
import { type Fault, fault, taskOf } from './faults.ts'

const NAMES = Object.keys(everyPolicy(testClock()).each)

type Command =
  | {
      readonly type: 'start'
      readonly fault: Fault
      readonly key: string | undefined
      readonly deadlineMs: number | undefined
      readonly own: boolean
    }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'abort all' }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'resize'; readonly size: number }

const just = <T extends string>(type: T) => fc.constant(type)
const key = fc.constantFrom(undefined, 'a', 'b', 'c')
const deadlineMs = fc.constantFrom(undefined, undefined, 0, 15, 100)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: just('start'), fault, key, deadlineMs, own: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: just('abort'), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: just('abort all') }) },
  { weight: 3, arbitrary: fc.record({ type: just('pass'), ms: fc.constantFrom(1, 7, 30, 90) }) },
  { weight: 1, arbitrary: fc.record({ type: just('resize'), size: fc.integer({ min: 1, max: 4 }) }) },
)

async function check(names: readonly string[], commands: readonly Command[]): Promise<void> {
  const clock = testClock()
  const { each, resize, leaks, breakers } = everyPolicy(clock)
  const guard = policies(...names.map((name) => each[name] as never))
  let parent = countedSignal()
  const parents = [parent]
  const owns: ReturnType<typeof countedSignal>[] = []
  const calls: Promise<unknown>[] = []
  for (const command of commands) {
    if (command.type === 'pass') await clock.advance(command.ms)
    else if (command.type === 'resize') resize(command.size)
    else if (command.type === 'abort') owns.splice(command.which, 1)[0]?.abort(new Error('enough'))
    else if (command.type === 'abort all') {
      parent.abort('everybody')
      parent = countedSignal()
      parents.push(parent)
    } else {
      const own = countedSignal()
      if (command.own) owns.push(own)
      const { signal } = command.own ? own : parent
      const deadline = command.deadlineMs === undefined ? {} : { timeoutMs: command.deadlineMs }
      const keys = command.key === undefined ? {} : { keys: { key: command.key } }
      const context = createContext({ clock, signal, ...deadline, ...keys })
      calls.push(guard.tryRun(taskOf(command.fault, clock) as () => unknown, { context }))
    }
    if (commands.length % 2 === 0) await settled()
  }
  await clock.advance(5_000)
  expect(await Promise.race([Promise.all(calls), settled().then(() => 'somebody was not answered')])).toHaveLength(calls.length)
  await settled()
  expect(leaks()).toEqual({})
  expect(clock.pending).toBe(0)
  expect([...parents, ...owns].map(({ listeners }) => listeners())).toEqual(Array(parents.length + owns.length).fill(0))
  // No probe is lost either.
  for (const breaker of breakers) {
    for (let n = 0; n < 3; n++) await breaker.tryRun(() => 'well')
    expect(breaker.state).toBe('closed')
  }
}

const commands = fc.array(command, { minLength: 10, maxLength: 40 })

describe('permits never leak, under any interleaving of abort, timeout, throw, late settling and resizing', () => {
  test.each(NAMES)(
    'of %s alone',
    async (name) => {
      await fc.assert(
        fc.asyncProperty(commands, (each) => check([name], each)),
        { numRuns: 40 },
      )
    },
    60_000,
  )

  test('of any of them in any order', async () => {
    await fc.assert(fc.asyncProperty(fc.shuffledSubarray(NAMES, { minLength: 2, maxLength: 8 }), commands, check), { numRuns: 250 })
  }, 120_000)
})
