import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap, type Heaped } from '../../src/resilience/heap.ts'

interface Item extends Heaped {
  rank: number
}

test('a heap gives its items in order, whoever has left or moved meanwhile', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), rank: fc.nat(50) }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('move' as const), which: fc.nat(), rank: fc.nat(50) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const heap = new Heap<Item>((a, b) => a.rank < b.rank)
      const inside: Item[] = []
      for (const each of steps) {
        if (each.kind === 'add') {
          const item = { heapAt: -1, rank: each.rank }
          heap.add(item)
          inside.push(item)
        } else if (inside.length > 0) {
          const at = each.which % inside.length
          const item = inside[at] as Item
          if (each.kind === 'move') {
            item.rank = each.rank
            heap.moved(item)
          } else {
            heap.remove(item)
            inside.splice(at, 1)
            expect(item.heapAt).toBe(-1)
          }
        }
        expect(heap.first?.rank).toBe(inside.length === 0 ? undefined : Math.min(...inside.map(({ rank }) => rank)))
      }
      const drained: number[] = []
      for (let first = heap.first; first !== undefined; first = heap.first) {
        heap.remove(first)
        drained.push(first.rank)
      }
      expect(drained).toEqual(inside.map(({ rank }) => rank).toSorted((a, b) => a - b))
    }),
    { numRuns: 500 },
  )
})

test('whoever takes the place of one that leaves may have to go up', () => {
  const heap = new Heap<Item>((a, b) => a.rank < b.rank)
  const [, , , six, , , three] = [0, 5, 1, 6, 7, 2, 3].map((rank) => {
    const item = { heapAt: -1, rank }
    heap.add(item)
    return item
  })
  heap.remove(six as Item)
  // It was the last, in the other half of the tree, and is before its new parent.
  expect((three as Item).heapAt).toBe(1)
})
