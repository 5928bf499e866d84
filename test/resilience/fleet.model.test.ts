import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fleetWorld, HEARTBEAT_MS, type Instance, OPEN_MS, STALE_MS } from './fleet-world.ts'
import { codeOf, deferred, settled } from './support.ts'

type Step =
  | { readonly do: 'call'; readonly at: number; readonly outcome: 'ok' | 'fails' | 'hangs' | 'cancelled' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'cut'; readonly at: number; readonly how: 'at once' | 'silently' | 'no' }
  | { readonly do: 'outage'; readonly on: boolean }
  | { readonly do: 'join' }
  | { readonly do: 'leave'; readonly at: number }
  | { readonly do: 'settle' }

const at = fc.nat({ max: 5 })
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('call' as const),
        at,
        outcome: fc.constantFrom('ok', 'fails', 'fails', 'hangs', 'cancelled'),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 300, HEARTBEAT_MS, STALE_MS, OPEN_MS, 40_000) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), at, how: fc.constantFrom('at once', 'silently', 'no', 'no') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('outage' as const), on: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('join' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), at }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  ),
  { minLength: 10, maxLength: 60 },
) as fc.Arbitrary<Step[]>

/** How often each thing that matters happened over all runs: a property that never met it says nothing. */
const met = { held: 0, probed: 0, alone: 0, closed: 0 }

async function play(script: readonly Step[], quorum: number): Promise<void> {
  const world = await fleetWorld()
  const { clock } = world
  const options = { fleet: { quorum }, breaker: { probeTimeoutMs: 600_000 } }
  const members: Instance[] = []
  const hanging: ReturnType<typeof deferred>[] = []
  const calls: Promise<unknown>[] = []
  const join = async (): Promise<void> => {
    const before = await world.record()
    const instance = world.make(options)
    await instance.fleet.start()
    // Whoever joins changes nothing.
    expect(await world.record()).toEqual(before)
    members.push(instance)
  }
  for (let n = 0; n < 3; n++) await join()

  const call = async (instance: Instance, outcome: (Step & { do: 'call' })['outcome']): Promise<void> => {
    const wasProbing = members.filter((each) => each.fleet.stats().probing).length
    const { held, state } = instance.fleet.stats()
    const stop = new AbortController()
    let ran = false
    const answer = instance.breaker.tryRun(
      async () => {
        ran = true
        if (outcome === 'fails') throw new Error('down')
        if (outcome === 'ok') return 'ok'
        const hang = deferred()
        hanging.push(hang)
        return hang.promise
      },
      { signal: stop.signal },
    )
    calls.push(answer)
    if (outcome === 'cancelled') {
      await settled()
      stop.abort()
    }
    await settled()
    if (held && ran) {
      met.probed += 1
      // It became the one that probes, or had no news for too long.
      if (outcome !== 'fails') expect(instance.fleet.stats().held).toBe(false)
      expect(wasProbing === 0 || instance.fleet.state === 'alone' || state === 'alone' || members.some(({ cut }) => cut !== 'no')).toBe(
        true,
      )
    }
    if (held && !ran) met.held += 1
  }

  for (const step of script) {
    const instance = 'at' in step ? members[step.at % members.length] : undefined
    if (step.do === 'pass') await clock.advance(step.ms)
    else if (step.do === 'settle') hanging.shift()?.reject(new Error('late'))
    else if (step.do === 'outage') for (const each of members) each.cut = step.on ? 'at once' : 'no'
    else if (step.do === 'join') await join()
    else if (instance === undefined) continue
    else if (step.do === 'call') await call(instance, step.outcome)
    else if (step.do === 'cut') instance.cut = step.how
    else if (step.do === 'leave' && members.length > 1) {
      instance.cut = 'no'
      members.splice(members.indexOf(instance), 1)
      const left = instance.fleet.close()
      await clock.advance(2_000)
      await left
      expect(instance.fleet.stats().held).toBe(false)
    }
    await settled()
    const record = await world.record()
    const probing = members.filter((each) => each.cut === 'no' && each.fleet.stats().probing && each.fleet.state === 'half-open')
    // One at a time, of those who have heard of each other.
    if (members.every(({ cut }) => cut === 'no')) expect(probing.length).toBeLessThanOrEqual(1)
    for (const each of members) {
      if (each.fleet.state === 'alone') met.alone += 1
      // Who knows that the fleet is open lets nothing through.
      if (each.fleet.state === 'open') expect(each.fleet.stats().held).toBe(true)
      if (each.fleet.state === 'closed' || each.fleet.state === 'alone') expect(each.fleet.stats().held).toBe(false)
    }
    expect(['closed', 'open', 'half-open', undefined]).toContain(record?.state)
  }

  // Everything works again, and calls come by: all find that out.
  for (const each of members) each.cut = 'no'
  for (const hang of hanging) hang.reject(new Error('late'))
  for (let round = 0; round < 12; round++) {
    await clock.advance(OPEN_MS / 2)
    for (const each of members) await call(each, 'ok')
  }
  await clock.advance(HEARTBEAT_MS * 2)
  expect(members.map((each) => [each.fleet.state, each.breaker.state])).toEqual(members.map(() => ['closed', 'closed']))
  met.closed += 1
  for (const each of members) expect(codeOf(await each.breaker.tryRun(async () => 1))).toBe('ok')
  const closing = Promise.all(members.map((each) => each.fleet.close()))
  await clock.advance(20_000)
  await closing
  await Promise.all(calls)
  expect(clock.pending).toBe(0)
  expect((await world.store.list({ prefix: 'holdfast/fleet/inventory/of/' })).length).toBe(0)
}

test('whatever is cut off, joins, leaves and hangs: one probes at a time, a joiner changes nothing, and all close in the end (model)', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 2), (script, quorum) => play(script, quorum)),
    { numRuns: 60 },
  )
  expect(met.held).toBeGreaterThan(30)
  expect(met.probed).toBeGreaterThan(10)
  expect(met.alone).toBeGreaterThan(10)
  expect(met.closed).toBeGreaterThanOrEqual(60)
}, 120_000)
