import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import type { KeyEntry } from '../../src/ports/key-value.ts'
import type { LeaseGrant } from '../../src/ports/lease.ts'
import { RECORD_MS } from '../../src/resilience/fleet-records.ts'
import { type FleetWorld, fleetWorld, HEARTBEAT_MS, type Instance, OPEN_MS, trip, works } from './fleet-world.ts'
import { codeOf, deferred, settled } from './support.ts'

const RECORD_KEY = 'holdfast/fleet/inventory/state'

let at: FleetWorld
let all: Instance[]
beforeEach(async () => {
  at = await fleetWorld()
  all = []
})
afterEach(async () => {
  await Promise.all(all.map((each) => each.fleet.close()))
  expect(at.clock.pending).toBe(0)
})

async function started(options: Parameters<FleetWorld['make']>[0] = {}): Promise<Instance> {
  const made = at.make(options)
  all.push(made)
  await made.fleet.start()
  return made
}
const asks = async ({ breaker }: Instance) => codeOf(await breaker.tryRun(works))

describe('an instance that asks to probe', () => {
  /** One that may probe now, with something done around its way to the lease, or to the record. */
  async function aboutToProbe(around: {
    readonly acquire?: (own: () => Promise<LeaseGrant | undefined>) => Promise<LeaseGrant | undefined>
    readonly get?: (own: () => Promise<KeyEntry | undefined>) => Promise<KeyEntry | undefined>
  }) {
    const storage = memoryStorage({ clock: at.clock, store: at.content })
    await storage.open()
    const through = <P extends object>(port: P): P =>
      new Proxy(port, {
        get(target, name) {
          const method = (Reflect.get(target, name) as (...args: unknown[]) => never).bind(target)
          const hook = around[name as keyof typeof around]
          return hook === undefined ? method : (...args: unknown[]) => hook(() => method(...args))
        },
      })
    const store = { keyValue: through(storage.keyValue), lease: through(storage.lease) }
    const one = await started({ fleet: { quorum: 1, store } })
    await trip(one)
    await settled()
    await at.clock.advance(OPEN_MS)
    return one
  }
  const rewrite = () =>
    at.store.put(RECORD_KEY, JSON.stringify({ version: 1, state: 'open', openMs: OPEN_MS, by: 'another' }), { ttlMs: RECORD_MS })

  it('gives the lease back where somebody wrote before it could say that it probes', async () => {
    const one = await aboutToProbe({
      async acquire(own) {
        const grant = await own()
        await rewrite()
        return grant
      },
    })
    const two = await started()
    expect(await asks(one)).toBe('BREAKER_OPEN')
    await at.clock.advance(OPEN_MS)
    expect(await asks(two)).toBe('ok')
  })

  it('does not probe where the fleet has opened again, as it hears while it waits its turn', async () => {
    let reads = Promise.resolve()
    const one = await aboutToProbe({ get: (own) => reads.then(own) })
    const read = deferred()
    reads = read.promise.then(() => {})
    await at.clock.advance(HEARTBEAT_MS)
    const call = asks(one)
    await rewrite()
    read.resolve(undefined)
    expect(await call).toBe('BREAKER_OPEN')
    expect(await at.record()).toMatchObject({ state: 'open', by: 'another' })
  })

  it('leaves the probe to the next caller where the one that asked for it gave up', async () => {
    const leased = deferred()
    const one = await aboutToProbe({ acquire: (own) => leased.promise.then(own) })
    const caller = new AbortController()
    const gone = one.breaker.tryRun(works, { signal: caller.signal })
    await settled()
    caller.abort()
    expect(codeOf(await gone)).toBe('ABORTED')
    leased.resolve(undefined)
    await settled()
    expect(one.fleet.stats().probing).toBe(true)
    expect(await asks(one)).toBe('ok')
  })
})
