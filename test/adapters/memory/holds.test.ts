import { expect, test } from 'vitest'
import { Holds } from '../../../src/adapters/memory/holds.ts'
import type { Clock } from '../../../src/core/clock.ts'

/** Fires a wait's bound when the test says so, in the middle of a step. */
function scene() {
  const holds = new Holds()
  const done: string[] = []
  const fire: (() => void)[] = []
  const clock: Clock = {
    nowMs: () => 0,
    epochMs: () => 0,
    setTimer: (late) => {
      fire.push(late)
      return { clear: () => {} }
    },
  }
  const by = { owner: {}, clock, maxMs: 1 }
  return {
    holds,
    done,
    fire,
    ask: (name: string, ...keys: string[]) => Promise.resolve(holds.enter(keys, () => void done.push(name), by)),
    hold: (tx: object, ...keys: string[]) => holds.enter(keys, () => {}, { ...by, tx }),
  }
}

test('counts what has been done, where the bound comes in the same step', async () => {
  const { holds, done, fire, ask, hold } = scene()
  const tx = {}
  hold(tx, 'a')
  const asked = ask('one', 'a')
  fire[0]?.()
  holds.release(tx)
  expect([await asked, done]).toEqual(['free', ['one']])
})

test('lets nobody overtake whom he shares a name with, whichever is free first', async () => {
  const { holds, done, ask, hold } = scene()
  const [first, second] = [{}, {}]
  hold(first, 'a')
  hold(second, 'b', 'c')
  const asked = [ask('one', 'a', 'y'), ask('two', 'b', 'y'), ask('three', 'c')]
  holds.release(second)
  expect(done).toEqual(['three'])
  holds.release(first)
  expect([await Promise.all(asked), done]).toEqual([
    ['free', 'free', 'free'],
    ['three', 'one', 'two'],
  ])
})

test('goes on with those behind one who has waited long enough', async () => {
  const { done, fire, ask, hold } = scene()
  hold({}, 'a')
  const asked = [ask('one', 'a', 'y'), ask('two', 'y')]
  fire[0]?.()
  expect([await Promise.all(asked), done]).toEqual([['late', 'free'], ['two']])
})

test('lets a transaction ask again for what it holds, past those who wait for it', async () => {
  const { holds, done, ask, hold } = scene()
  const tx = {}
  hold(tx, 'a')
  const asked = ask('one', 'a', 'b')
  expect([hold(tx, 'a'), hold(tx, 'b')]).toEqual(['free', 'free'])
  expect(done).toEqual([])
  holds.release(tx)
  expect([await asked, done]).toEqual(['free', ['one']])
})
