import fc from 'fast-check'
import { HoldfastError } from '../../../src/index.ts'
import type { TestClock } from '../../../src/testing/test-clock.ts'

/** What a task may do. */
export const FAULTS = [
  'ok',
  'value',
  'error',
  'at once',
  'nothing',
  'slow',
  'late',
  'hangs',
  'listens',
  'holds',
  'refused',
  'thenable',
] as const
export type Fault = (typeof FAULTS)[number]
export const fault = fc.constantFrom(...FAULTS)

interface Inside {
  readonly signal: AbortSignal
  hold(work: PromiseLike<unknown>): void
}

/** Work that ends in the given way, some of it long after its caller has been answered. Every one ends by itself. */
export function taskOf(fault: Fault, clock: TestClock): (ctx: Inside) => unknown {
  const after = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms))
  const until = ({ signal }: Inside): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = clock.setTimer(resolve, 300)
      signal.addEventListener('abort', () => {
        timer.clear()
        reject(signal.reason)
      })
    })
  const ends: Record<Fault, (ctx: Inside) => unknown> = {
    ok: async () => 'done',
    value: () => 'no promise',
    error: () => Promise.reject(new Error('boom')),
    'at once': () => {
      throw new Error('at once')
    },
    nothing: () => Promise.reject(undefined),
    slow: () => after(12),
    late: () => after(60).then(() => Promise.reject(new Error('late'))),
    hangs: () => after(300),
    listens: until,
    holds: (ctx) => ctx.hold(after(80)),
    refused: () => Promise.reject(new HoldfastError('BULKHEAD_FULL', 'elsewhere', { effect: 'none', retry: 'later' })),
    thenable: () => Object.fromEntries([['then', (resolve: (value: string) => void) => resolve('thenable')]]),
  }
  return ends[fault]
}
