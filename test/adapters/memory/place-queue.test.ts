import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PlaceQueue } from '../../../src/adapters/memory/place-queue.ts'

test('hands out by place, whatever came back, like a sorted list', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('push'), fc.constant('shift'), fc.nat()), { maxLength: 300 }), (steps) => {
      const queue = new PlaceQueue<{ readonly place: number }>()
      const model: number[] = []
      const out: number[] = []
      let places = 0
      for (const step of steps) {
        if (step === 'push') {
          model.push(places)
          queue.push({ place: places++ })
        } else if (step === 'shift') {
          const entry = queue.shift()
          expect(entry?.place).toBe(model.shift())
          if (entry !== undefined) out.push(entry.place)
        } else if (out.length > 0) {
          const [place = 0] = out.splice(Number(step) % out.length, 1)
          queue.putBack({ place })
          model.push(place)
          model.sort((a, b) => a - b)
        }
        expect(queue.size).toBe(model.length)
      }
    }),
  )
})

test('keeps its order over thousands, and gives the room of what was taken back', () => {
  const queue = new PlaceQueue<{ readonly place: number }>()
  const out: (number | undefined)[] = []
  for (let place = 0; place < 5_000; place++) queue.push({ place })
  for (let n = 0; n < 5_000; n++) out.push(queue.shift()?.place)
  expect(out).toEqual(Array.from({ length: 5_000 }, (_, place) => place))
  expect([queue.size, queue.shift()]).toEqual([0, undefined])
})
