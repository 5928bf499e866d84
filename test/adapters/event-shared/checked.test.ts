import { expect, test } from 'vitest'
import { checkRequest } from '../../../src/adapters/event-shared/checked.ts'
import type { NewEvent } from '../../../src/ports/event-store.ts'

const good: NewEvent = { type: 'placed', data: 1 }
const refusedFor = (events: readonly NewEvent[]) => checkRequest({ writes: [{ stream: 'order-1', expect: 'any', events }] })

test.each([
  ['a type', { ...good, type: '' }, 'INVALID_INPUT', 'events[1]: type'],
  ['data', { ...good, data: { at: new Date(0) } }, 'NOT_JSON', 'events[1]: data.at'],
  ['a tag', { ...good, tags: ['a', 'b\0'] }, 'INVALID_INPUT', 'events[1]: tags: a tag'],
  ['metadata', { ...good, metadata: { large: 'x'.repeat(65_536) } }, 'TOO_LARGE', 'events[1]: metadata'],
])('tells of which event of which stream %s is refused', (_, bad, code, place) => {
  expect(refusedFor([good, bad, good])).toMatchObject({
    result: 'none',
    error: { code, effect: 'none', message: expect.stringContaining(`append: "order-1": ${place}`) },
  })
})

test('takes a request whose getters answer otherwise when they are asked again', () => {
  let asked = 0
  const fickle = {
    data: 1,
    get type() {
      return asked++ === 0 ? '' : 'placed'
    },
  }
  expect(refusedFor([fickle])).toMatchObject({ writes: [{ events: [{ type: 'placed' }] }] })
})

test('keeps what it has looked at, whatever a getter says next', () => {
  let asked = 0
  const next = () => (asked++ === 0 ? 'placed' : 5)
  const fickle = {
    data: 1,
    id: 'a',
    get type() {
      return next() as string
    },
  }
  expect(refusedFor([fickle])).toMatchObject({ writes: [{ events: [{ type: 'placed' }] }] })
})

test('answers for a getter that throws', () => {
  const broken = {
    type: 'placed',
    get data(): unknown {
      throw new Error('not now')
    },
  }
  expect(refusedFor([broken])).toMatchObject({ result: 'none', error: { code: 'INVALID_INPUT', message: 'append: Error: not now' } })
})
