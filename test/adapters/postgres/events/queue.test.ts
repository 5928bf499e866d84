import { describe, expect, test } from 'vitest'
import type { CheckedRequest } from '../../../../src/adapters/event-shared/checked.ts'
import { checkRequest } from '../../../../src/adapters/event-shared/checked.ts'
import { Pending } from '../../../../src/adapters/postgres/events/pending.ts'
import { AppendQueue } from '../../../../src/adapters/postgres/events/queue.ts'

let number = 0
const pending = (stream: string, events = 1): Pending => {
  const request = checkRequest({
    writes: [{ stream, expect: 'any', events: Array.from({ length: events }, () => ({ type: 't', data: 1 })) }],
  })
  return new Pending(request as CheckedRequest, number++, { enteredMs: 0, deadlineMs: 1_000 }, () => {})
}
const fill = (queue: AppendQueue, count: number, events = 1): Pending[] => {
  const made = Array.from({ length: count }, (_, i) => pending(`s${number} ${i}`, events))
  for (const each of made) queue.add(each)
  return made
}

describe('what a batch takes of those who wait', () => {
  test('all, where they are few', () => {
    const queue = new AppendQueue()
    fill(queue, 31)
    expect(queue.take(0)?.requests).toHaveLength(31)
  })

  test('half, where they are many: the other half is made while it is decided', () => {
    const queue = new AppendQueue()
    fill(queue, 50)
    expect(queue.take(0)?.requests).toHaveLength(25)
    expect(queue.take(0)?.requests).toHaveLength(25)
    expect(queue.length).toBe(0)
  })

  test('half of the events that wait and are in flight, not of the calls', () => {
    const queue = new AppendQueue()
    fill(queue, 1, 90)
    fill(queue, 10)
    expect(queue.take(0)?.requests.map(({ events }) => events)).toEqual([90])
    expect(queue.take(0)?.requests).toHaveLength(10)
  })

  test('by what is outstanding now: what was answered, left or put back is counted once', () => {
    const queue = new AppendQueue()
    const [first] = fill(queue, 50) as [Pending]
    const batch = queue.take(0) as NonNullable<ReturnType<AppendQueue['take']>>
    queue.release(batch)
    queue.putBack(batch.requests)
    queue.remove(first)
    queue.remove(first)
    // 49 wait.
    const again = queue.take(0) as typeof batch
    expect(again.requests).toHaveLength(25)
    queue.release(again)
    // 24 wait, and none is in flight.
    expect(queue.take(0)?.requests).toHaveLength(24)
  })

  test('one, however large it is', () => {
    const queue = new AppendQueue()
    fill(queue, 1, 500)
    expect(queue.take(0)?.requests).toHaveLength(1)
  })
})
