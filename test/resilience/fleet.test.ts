import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, fleet, metrics, policies } from '../../src/index.ts'
import { type FleetWorld, fails, fleetWorld, HEARTBEAT_MS, type Instance, OPEN_MS, STALE_MS, trip, works } from './fleet-world.ts'
import { codeOf, deferred, errorOf, settled, thrownBy } from './support.ts'

const RECORD_KEY = 'holdfast/fleet/inventory/state'

let at: FleetWorld
let all: Instance[]
beforeEach(async () => {
  at = await fleetWorld()
  all = []
})
afterEach(async () => {
  for (const each of all) each.cut = 'no'
  const closing = Promise.all(all.map((each) => each.fleet.close()))
  // For those that wait for an answer which never comes.
  await at.clock.advance(20_000)
  await closing
  expect(at.clock.pending).toBe(0)
})

async function started(count: number, options: Parameters<FleetWorld['make']>[0] = {}): Promise<Instance[]> {
  const made = Array.from({ length: count }, () => at.make(options))
  all.push(...made)
  for (const each of made) await each.fleet.start()
  return made
}
const codes = (instances: readonly Instance[]) => Promise.all(instances.map(async ({ breaker }) => codeOf(await breaker.tryRun(works))))
const states = (instances: readonly Instance[]) => instances.map((each) => each.fleet.state)

async function opened(count: number, options: Parameters<FleetWorld['make']>[0] = {}): Promise<Instance[]> {
  const made = await started(count, { fleet: { quorum: 2 }, ...options })
  for (const each of made.slice(0, 2)) await trip(each)
  await settled()
  expect(states(made)).toEqual(made.map(() => 'open'))
  return made
}

describe('fleet', () => {
  it('leaves a breaker alone while too few find it failing', async () => {
    const [one, two, three, four] = (await started(4)) as [Instance, Instance, Instance, Instance]
    await trip(one)
    await settled()
    expect(await codes([one, two, three, four])).toEqual(['BREAKER_OPEN', 'ok', 'ok', 'ok'])
    expect(one.fleet.stats()).toMatchObject({ state: 'closed', instances: 4, failing: 1, held: false })
    await at.clock.advance(OPEN_MS)
    expect(await codes([one])).toEqual(['ok'])
    expect(one.breaker.state).toBe('closed')
  })

  it('stops all at once when enough of them find it failing', async () => {
    const made = await opened(4)
    expect(await codes(made)).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN', 'BREAKER_OPEN', 'BREAKER_OPEN'])
    expect(made.map(({ breaker }) => breaker.state)).toEqual(['open', 'open', 'open', 'open'])
    const refused = errorOf(await (made[3] as Instance).breaker.tryRun(works))
    expect(refused).toMatchObject({ effect: 'none', retry: 'later', retryAfterMs: OPEN_MS })
    expect(refused.message).toBe('inventory is open in the whole fleet: enough instances find it failing')
    expect(made.map(({ heard }) => heard)).toEqual(made.map(() => ['joined', 'opened']))
    expect(await at.record()).toMatchObject({ state: 'open', openMs: OPEN_MS, by: 'i1' })
  })

  it.each([
    ['a share of those alive', { share: 0.5 }, [1, 2, 3], false],
    ['a share of those alive, reached', { share: 0.5 }, [1, 2, 3, 4], true],
    ['a number', 3, [1, 2, 3], true],
    ['a minimum', { share: 0.1, minimum: 5 }, [1, 2, 3, 4], false],
  ])('counts by %s', async (_, quorum, failing, opens) => {
    const made = await started(8, { fleet: { quorum } })
    for (const n of failing) await trip(made[n] as Instance)
    await settled()
    expect(states(made)).toEqual(made.map(() => (opens ? 'open' : 'closed')))
  })

  it('does not count those who have gone, or have been silent for too long', async () => {
    const made = await started(6, { fleet: { quorum: { share: 0.5 } } })
    for (const each of made.slice(4)) await each.fleet.close()
    const silent = made[3] as Instance
    silent.cut = 'at once'
    await at.clock.advance(STALE_MS + HEARTBEAT_MS)
    expect(silent.heard).toEqual(['joined', 'lost'])
    await trip(made[0] as Instance)
    await settled()
    expect(made[0]?.fleet.stats()).toMatchObject({ instances: 3, failing: 1 })
    await trip(made[1] as Instance)
    await settled()
    expect(states(made.slice(0, 4))).toEqual(['open', 'open', 'open', 'alone'])
    expect(await codes([silent])).toEqual(['ok'])
  })

  it('lets one instance probe for all, and closes for all when it succeeds', async () => {
    const made = await opened(4)
    await at.clock.advance(OPEN_MS - 1)
    expect(await codes(made)).toEqual(made.map(() => 'BREAKER_OPEN'))
    await at.clock.advance(1)
    const probe = deferred<string>()
    const calls = made.map(({ breaker }) => breaker.tryRun(() => probe.promise))
    await settled()
    expect(made.filter((each) => each.fleet.stats().probing)).toHaveLength(1)
    expect(states(made)).toEqual(made.map(() => 'half-open'))
    expect(await codes(made)).toEqual(made.map(() => 'BREAKER_OPEN'))
    probe.resolve('it works')
    expect((await Promise.all(calls)).map(codeOf).sort()).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN', 'BREAKER_OPEN', 'ok'])
    await settled()
    expect(states(made)).toEqual(made.map(() => 'closed'))
    expect(await codes(made)).toEqual(made.map(() => 'ok'))
    expect(made[3]?.heard).toEqual(['joined', 'opened', 'halfOpened', 'closed'])
    expect(made.map(({ breaker }) => breaker.state)).toEqual(made.map(() => 'closed'))
  })

  it('stays open, and longer, when the probe fails', async () => {
    const made = await opened(3, { breaker: { openMaxMs: OPEN_MS * 4 }, fleet: { quorum: 2 } })
    for (const openMs of [OPEN_MS * 2, OPEN_MS * 4, OPEN_MS * 4]) {
      await at.clock.advance(((await at.record()) as { openMs: number }).openMs)
      // Another one probes each time.
      const prober = made.shift() as Instance
      made.push(prober)
      expect(await prober.breaker.tryRun(fails)).toMatchObject({ error: { message: 'down' } })
      await settled()
      expect(await at.record()).toMatchObject({ state: 'open', openMs })
      expect(await codes(made)).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN', 'BREAKER_OPEN'])
    }
  })

  it('closes by way of each ramp', async () => {
    const made = await opened(3, { breaker: { rampMs: 10_000 }, fleet: { quorum: 2 } })
    await at.clock.advance(OPEN_MS)
    expect(await codes([made[2] as Instance])).toEqual(['ok'])
    await settled()
    expect(made.map(({ breaker }) => breaker.stats().share)).toEqual([0.1, 0.1, 0.1])
    await at.clock.advance(10_000)
    expect(await codes(made)).toEqual(['ok', 'ok', 'ok'])
  })

  it('lets another instance probe where the one that does is silent for too long', async () => {
    const made = await opened(2, { breaker: { probeTimeoutMs: 600_000 }, fleet: { quorum: 2, probeMs: 20_000 } })
    const [one, two] = made as [Instance, Instance]
    await at.clock.advance(OPEN_MS)
    const hangs = deferred()
    const hung = one.breaker.tryRun(() => hangs.promise)
    await settled()
    await at.clock.advance(19_000)
    expect(await codes([two])).toEqual(['BREAKER_OPEN'])
    await at.clock.advance(1_500)
    expect(one.fleet.stats().probing).toBe(false)
    expect(await codes([two])).toEqual(['ok'])
    await settled()
    expect(states(made)).toEqual(['closed', 'closed'])
    hangs.reject(new Error('late'))
    await hung
    await settled()
    expect(states(made)).toEqual(['closed', 'closed'])
    expect(await codes(made)).toEqual(['ok', 'ok'])
  })

  it('does not take the verdict of a prober that another has overtaken', async () => {
    const patient = { quorum: 2, staleMs: 600_000 }
    const [one, two] = (await opened(2, { breaker: { probeTimeoutMs: 600_000 }, fleet: patient })) as [Instance, Instance]
    await at.clock.advance(OPEN_MS)
    const answer = deferred<string>()
    const first = one.breaker.tryRun(() => answer.promise)
    await settled()
    // It stops for longer than its lease lasts, and the world goes on without it.
    one.cut = 'silently'
    await at.clock.advance(31_000)
    expect(codeOf(await two.breaker.tryRun(fails))).toMatchObject({ message: 'down' })
    await settled()
    expect(await at.record()).toMatchObject({ state: 'open', by: 'i1' })
    one.cut = 'no'
    answer.resolve('late')
    await first
    await at.clock.advance(HEARTBEAT_MS * 2)
    expect(await at.record()).toMatchObject({ state: 'open', by: 'i1' })
    expect(await codes([one, two])).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN'])
  })

  it('does not take the verdict of a prober whose lease the store forgot and gave to another', async () => {
    const [one, two] = (await opened(2, { fleet: { quorum: 2, staleMs: 600_000 } })) as [Instance, Instance]
    await at.clock.advance(OPEN_MS)
    const answer = deferred<string>()
    const first = one.breaker.tryRun(() => answer.promise)
    await settled()
    one.cut = 'silently'
    at.forgetLeases()
    expect(codeOf(await two.breaker.tryRun(fails))).toMatchObject({ message: 'down' })
    await settled()
    const record = await at.record()
    expect(record).toMatchObject({ state: 'open', by: 'i1' })
    expect(one.fleet.stats().probing).toBe(true)
    one.cut = 'no'
    answer.resolve('late')
    await first
    await at.clock.advance(HEARTBEAT_MS * 2)
    expect(await at.record()).toEqual(record)
    expect(await codes([one, two])).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN'])
  })

  it('has a joiner take over what the fleet is, and change nothing', async () => {
    const made = await opened(3)
    const before = await at.record()
    await at.clock.advance(4_000)
    const [joiner] = (await started(1)) as [Instance]
    expect(await codes([joiner])).toEqual(['BREAKER_OPEN'])
    expect(errorOf(await joiner.breaker.tryRun(works)).retryAfterMs).toBe(OPEN_MS - 4_000)
    expect(await at.record()).toEqual(before)
    expect(joiner.fleet.state).toBe('open')
    for (const each of made) await each.fleet.close()
    expect(await at.record()).toEqual(before)
    await at.clock.advance(OPEN_MS)
    expect(await codes([joiner])).toEqual(['ok'])
  })

  it('has a joiner whose own breaker is open open nothing', async () => {
    await started(1)
    const sick = at.make()
    all.push(sick)
    await trip(sick)
    await sick.fleet.start()
    await at.clock.advance(HEARTBEAT_MS * 3)
    expect(await at.record()).toBeUndefined()
  })

  it('does not open again for what breakers found before it closed', async () => {
    const made = await opened(3)
    const late = made[1] as Instance
    // It still says that it is failing when the others have closed.
    await at.clock.advance(OPEN_MS - 1_000)
    late.cut = 'at once'
    await at.clock.advance(1_000)
    expect(await codes([made[2] as Instance])).toEqual(['ok'])
    await settled()
    await trip(made[0] as Instance)
    await settled()
    expect(made[0]?.fleet.state).toBe('closed')
    expect(made[0]?.fleet.stats()).toMatchObject({ instances: 3, failing: 1 })
  })
})

describe('without its store, a fleet', () => {
  it('believes the last thing it heard for a while, and then lets the breaker decide alone', async () => {
    const [tripped, , healthy] = (await opened(3, { breaker: { openMs: 60_000 } })) as [Instance, Instance, Instance]
    tripped.cut = 'silently'
    healthy.cut = 'at once'
    await at.clock.advance(STALE_MS - 500)
    expect(await codes([tripped, healthy])).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN'])
    await at.clock.advance(HEARTBEAT_MS + 500)
    expect(states([tripped, healthy])).toEqual(['alone', 'alone'])
    // Its own breaker was open, and the other one's never was.
    expect(await codes([tripped, healthy])).toEqual(['BREAKER_OPEN', 'ok'])
    healthy.cut = 'no'
    await at.clock.advance(HEARTBEAT_MS)
    expect(healthy.heard).toEqual(['joined', 'opened', 'lost', 'joined', 'opened'])
    expect(await codes([healthy])).toEqual(['BREAKER_OPEN'])
  })

  it('notices at the next call where no timer has come by', async () => {
    const [, , healthy] = (await opened(3, { fleet: { quorum: 2, heartbeatMs: 3_600_000, staleMs: 7_200_000 } })) as [
      Instance,
      Instance,
      Instance,
    ]
    healthy.cut = 'silently'
    await at.clock.advance(7_200_100)
    expect(await codes([healthy])).toEqual(['ok'])
    expect(healthy.fleet.state).toBe('alone')
  })

  it('starts all the same, and joins when it can', async () => {
    const alone = at.make()
    all.push(alone)
    alone.cut = 'silently'
    const starting = alone.fleet.start()
    await at.clock.advance(200)
    await starting
    expect(alone.fleet.state).toBe('alone')
    expect(alone.fleet.stats()).toMatchObject({ exchanged: 0, failed: 1 })
    expect(await codes([alone])).toEqual(['ok'])
    alone.cut = 'no'
    await at.clock.advance(HEARTBEAT_MS)
    expect(alone.fleet.state).toBe('closed')
  })

  it('never holds a caller beyond its patience while it asks to probe', async () => {
    const [one] = (await opened(2, { fleet: { quorum: 2, storeTimeoutMs: 4_000 } })) as [Instance]
    await at.clock.advance(OPEN_MS)
    one.cut = 'silently'
    const stop = new AbortController()
    const call = one.breaker.tryRun(works, { signal: stop.signal })
    await settled()
    stop.abort()
    expect(errorOf(await call)).toMatchObject({ code: 'ABORTED', effect: 'none' })
    one.cut = 'no'
    await at.clock.advance(4_000)
  })
})

describe('a fleet', () => {
  it('asks the store twice a heartbeat, and not for calls', async () => {
    const [one] = (await started(1)) as [Instance]
    const before = at.asked.count
    for (let n = 0; n < 50; n++) await one.breaker.run(works)
    expect(at.asked.count).toBe(before)
    await at.clock.advance(HEARTBEAT_MS * 10)
    expect(at.asked.count - before).toBe(20)
  })

  it('gives its breaker back when it is closed, and forgets what it said', async () => {
    const made = await opened(3)
    const healthy = made[2] as Instance
    await healthy.fleet.close()
    await healthy.fleet.close()
    expect(await codes([healthy])).toEqual(['ok'])
    expect((await at.store.list({ prefix: 'holdfast/fleet/inventory/of/' })).map(({ key }) => key)).toEqual([
      'holdfast/fleet/inventory/of/i0',
      'holdfast/fleet/inventory/of/i1',
    ])
  })

  it('goes with policies that the breaker is part of, with isolate and with metricsOnly', async () => {
    const made = await opened(3)
    const [, , healthy] = made as [Instance, Instance, Instance]
    const stacked = policies(healthy.breaker, bulkhead({ concurrent: 1 }))
    expect(codeOf(await stacked.tryRun(works))).toBe('BREAKER_OPEN')
    const isolation = healthy.breaker.isolate()
    expect(healthy.breaker.state).toBe('isolated')
    expect(await codes([healthy])).toEqual(['BREAKER_ISOLATED'])
    isolation.release()
    expect(await codes([healthy])).toEqual(['BREAKER_OPEN'])
    healthy.breaker.reconfigure({ metricsOnly: true })
    expect(await codes([healthy])).toEqual(['ok'])
    expect(healthy.breaker.stats().refused).toBeGreaterThanOrEqual(3)
  })

  it('keeps an isolation of the user when it closes', async () => {
    const made = await opened(3)
    const [, , healthy] = made as [Instance, Instance, Instance]
    const isolation = healthy.breaker.isolate()
    await at.clock.advance(OPEN_MS)
    expect(await codes([made[0] as Instance])).toEqual(['ok'])
    await settled()
    expect(healthy.fleet.state).toBe('closed')
    expect(await codes([healthy])).toEqual(['BREAKER_ISOLATED'])
    isolation.release()
    expect(await codes([healthy])).toEqual(['ok'])
  })

  it('is among the metrics', async () => {
    await started(1, { fleet: { name: 'seen in metrics' } })
    expect(metrics().find(({ name }) => name === 'seen in metrics')).toMatchObject({
      policy: 'fleet',
      stats: { state: 'closed', held: false, exchanged: 1 },
    })
  })

  it.each([
    ['breaker', bulkhead({ concurrent: 1 }), {}],
    ['store', circuitBreaker(), { store: {} }],
    ['quorum', circuitBreaker(), { quorum: 0 }],
    ['share', circuitBreaker(), { quorum: { share: 2 } }],
    ['heartbeatMs', circuitBreaker(), { heartbeatMs: 1 }],
    ['staleMs', circuitBreaker(), { heartbeatMs: 1_000, staleMs: 1_999 }],
    ['instance', circuitBreaker(), { instance: '' }],
  ])('refuses a wrong %s', (option, breaker, options) => {
    const store = { keyValue: at.store, lease: { acquire() {} } }
    const error = thrownBy(() => fleet(breaker as never, { store, ...options } as never))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', details: { option } })
  })

  it('takes what somebody else wrote under its name for a failure', async () => {
    await at.store.put('holdfast/fleet/inventory/state', '"not ours"')
    const odd = at.make({ breaker: { trips: consecutive(1) } })
    all.push(odd)
    await odd.fleet.start()
    expect(odd.fleet.stats()).toMatchObject({ state: 'alone', failed: 1 })
    expect((await at.store.get('holdfast/fleet/inventory/state'))?.value).toBe('"not ours"')
  })

  it('takes a record without an end for a failure, too: it would be open for ever', async () => {
    await at.store.put(RECORD_KEY, JSON.stringify({ version: 1, state: 'open', openMs: OPEN_MS, by: 'another' }))
    const [one] = (await started(1)) as [Instance]
    expect(one.fleet.stats()).toMatchObject({ state: 'alone', failed: 1 })
    expect(await codes([one])).toEqual(['ok'])
  })
})
