import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { declined, failed, HoldfastError } from '../../src/core/errors.ts'
import { circuitBreaker } from '../../src/resilience/circuit-breaker.ts'
import type { RetryOptions } from '../../src/resilience/retry-options.ts'
import { consecutive } from '../../src/resilience/trip.ts'
import { saga } from '../../src/saga/index.ts'
import { errorOf, gate, type ProcessOptions, turns, world } from './world.ts'

type Play = 'ok' | 'declined' | 'failed' | 'lost' | 'down' | 'refused' | 'date'

function perform(play: Play): unknown {
  switch (play) {
    case 'ok':
      return 'done'
    case 'declined':
      throw declined('out of stock')
    case 'failed':
      throw failed('half done')
    case 'lost':
      throw new Error('socket hang up')
    case 'down':
      throw Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' })
    case 'refused':
      throw new HoldfastError('BREAKER_OPEN', 'open', { effect: 'none', retry: 'later', retryAfterMs: 1_000 })
    case 'date':
      return { at: new Date(0) }
  }
}

interface Script {
  readonly plays?: Readonly<Record<string, readonly Play[]>>
  readonly retry?: RetryOptions
  readonly engine?: Omit<ProcessOptions, 'journal'>
}

/** a, b, then the pivot p, then z. A list of plays is used up from its front; its last one lasts. */
function journey({ plays = {}, retry = { attempts: 2, delayMs: 10 } }: Script) {
  const calls: string[] = []
  const keys = new Map<string, string>()
  const outcomes: string[] = []
  const play = (name: string, key: string): never => {
    const list = plays[name] ?? ['ok']
    const turn = calls.filter((call) => call === name).length
    calls.push(name)
    if (keys.has(name) && keys.get(name) !== key) throw new Error('another key')
    keys.set(name, key)
    return perform(list[Math.min(turn, list.length - 1)] as Play) as never
  }
  const step = (name: string) => ({
    run: async (_: unknown, ctx: { idempotencyKey: string }) => play(name, ctx.idempotencyKey),
    undo: async (_: unknown, ctx: { idempotencyKey: string; undoes: { idempotencyKey: string; outcome: string } }) => {
      outcomes.push(`${name} ${ctx.undoes.outcome}`)
      expect(ctx.undoes.idempotencyKey).toBe(keys.get(name))
      expect(ctx.idempotencyKey).toBe(`${keys.get(name)}/undo`)
      return play(`undo ${name}`, ctx.idempotencyKey)
    },
    retry,
  })
  const { undo: _, ...pivot } = step('p')
  const { undo: __, ...after } = step('z')
  const flow = saga('journey', { version: 1, input: z.string() })
    .step('a', step('a'))
    .step('b', step('b'))
    .pivot('p', pivot)
    .step('z', after)
    .returns(() => 'arrived')
  return { flow, calls, outcomes }
}

async function travel(script: Script) {
  const { process, settle } = world()
  const { flow, calls, outcomes } = journey(script)
  const engine = await process([flow], { undoRetry: { attempts: 3, delayMs: 10 }, ...script.engine })
  const handle = await engine.sagas.start(flow, 'x', { id: 'j' })
  const end = await settle(handle.result().catch((error: HoldfastError) => error))
  return { end, calls, outcomes, status: await handle.status(), timeline: await handle.timeline(), engine, settle, handle }
}

const repeated = (name: string, times: number): string[] => Array.from({ length: times }, () => name)

describe('a step that can be undone', () => {
  test.each<[Play, readonly string[], readonly string[]]>([
    ['declined', ['a', 'b', 'undo a'], ['a ok']],
    ['failed', ['a', 'b', 'undo b', 'undo a'], ['b unknown', 'a ok']],
    ['lost', ['a', 'b', 'b', 'undo b', 'undo a'], ['b unknown', 'a ok']],
    ['down', ['a', 'b', 'b', 'undo a'], ['a ok']],
    ['date', ['a', 'b', 'undo b', 'undo a'], ['b unknown', 'a ok']],
  ])('that always ends as %s has what was done undone, in reverse order', async (play, calls, outcomes) => {
    const trip = await travel({ plays: { b: [play] } })
    expect(trip.calls).toEqual(calls)
    expect(trip.outcomes).toEqual(outcomes)
    expect(trip.end).toMatchObject({ code: 'SAGA_UNDONE', effect: 'none', retry: 'never', details: { step: 'b' } })
    expect((trip.end as HoldfastError).cause).toBeInstanceOf(Error)
    expect(trip.status.state).toBe('undone')
  })

  test.each<[string, readonly Play[], readonly string[]]>([
    ['a lost reply', ['lost', 'ok'], ['a', 'b', 'b', 'p', 'z']],
    ['a refused connection', ['down', 'ok'], ['a', 'b', 'b', 'p', 'z']],
  ])('is repeated with the same key after %s', async (_, plays, calls) => {
    const trip = await travel({ plays: { b: plays } })
    expect(trip.end).toBe('arrived')
    expect(trip.calls).toEqual(calls)
  })

  test('is undone when a decline follows a lost reply: the first attempt may have taken effect', async () => {
    const trip = await travel({ plays: { b: ['lost', 'declined'] } })
    expect(trip.outcomes).toEqual(['b unknown', 'a ok'])
  })

  test('undoes nothing when it is the first and declines', async () => {
    const trip = await travel({ plays: { a: ['declined'] } })
    expect(trip.calls).toEqual(['a'])
    expect(trip.end).toMatchObject({ code: 'SAGA_UNDONE', cause: { code: 'DECLINED', message: 'out of stock' } })
  })

  test('starts no attempt later than elapsedMaxMs after its first', async () => {
    const retry = { attempts: 9, delayMs: 40, backoff: 'constant', elapsedMaxMs: 100 } as const
    expect((await travel({ plays: { b: ['lost'] }, retry })).calls).toEqual(['a', ...repeated('b', 3), 'undo b', 'undo a'])
  })

  test('is not repeated where retryIf throws', async () => {
    const retryIf = () => {
      throw new Error('a bug')
    }
    expect((await travel({ plays: { b: ['lost'] }, retry: { attempts: 5, retryIf } })).calls).toEqual(['a', 'b', 'undo b', 'undo a'])
  })
})

describe('a refusal of our own', () => {
  test('uses no attempt: the step waits and goes on', async () => {
    const trip = await travel({ plays: { b: [...Array.from({ length: 20 }, () => 'refused' as const), 'ok'] } })
    expect(trip.end).toBe('arrived')
    expect(trip.calls.filter((call) => call === 'b').length).toBe(21)
    expect(trip.timeline.filter(({ what }) => what === 'retry')).toEqual([])
  })

  test('that lasts too long fails the step, which is certain to have done nothing', async () => {
    const trip = await travel({ plays: { b: ['refused'] }, engine: { refusedMaxMs: 5_000 } })
    expect(trip.calls).toEqual(['a', ...repeated('b', 6), 'undo a'])
    expect(trip.end).toMatchObject({ code: 'SAGA_UNDONE', cause: { code: 'BREAKER_OPEN' } })
  })

  test('of the policy of a step counts like any other', async () => {
    const { process, settle, clock } = world()
    const breaker = circuitBreaker({ clock, openMs: 5_000, trips: consecutive(1) })
    await errorOf(breaker.run(() => Promise.reject(new Error('down'))))
    let ran = 0
    const flow = saga('guarded', { version: 1, input: z.string() })
      .pivot('p', { run: async () => ++ran, policy: breaker })
      .returns(({ p }) => p)
    const engine = await process([flow], { refusedMaxMs: 60_000 })
    const handle = await engine.sagas.start(flow, 'x', { id: 'g' })
    await turns()
    expect(ran).toBe(0)
    expect(await settle(handle.result())).toBe(1)
  })
})

describe('a pivot', () => {
  test.each<[string, readonly Play[], string, readonly string[]]>([
    ['that declines has everything undone', ['declined'], 'SAGA_UNDONE', ['a', 'b', 'p', 'undo b', 'undo a']],
    ['that certainly did nothing has everything undone', ['down'], 'SAGA_UNDONE', ['a', 'b', 'p', 'p', 'undo b', 'undo a']],
    [
      'that declines after a lost reply has everything undone',
      ['lost', 'declined'],
      'SAGA_UNDONE',
      ['a', 'b', 'p', 'p', 'undo b', 'undo a'],
    ],
    ['whose outcome stays unknown is parked', ['lost'], 'SAGA_STUCK', ['a', 'b', 'p', 'p']],
    ['that lost a reply and then reaches nobody is parked', ['lost', 'down'], 'SAGA_STUCK', ['a', 'b', 'p', 'p']],
    ['that says it failed for good is parked at once', ['failed'], 'SAGA_STUCK', ['a', 'b', 'p']],
  ])('%s', async (_, plays, code, calls) => {
    const trip = await travel({ plays: { p: plays } })
    expect(trip.end).toMatchObject({ code, details: { step: 'p' } })
    expect(trip.calls).toEqual(calls)
  })
})

describe('a step after the pivot', () => {
  test.each<[Play, readonly string[]]>([
    ['lost', ['a', 'b', 'p', 'z', 'z']],
    ['down', ['a', 'b', 'p', 'z', 'z']],
    ['declined', ['a', 'b', 'p', 'z']],
  ])('that always ends as %s is parked, and nothing is undone', async (play, calls) => {
    const trip = await travel({ plays: { z: [play] } })
    expect(trip.calls).toEqual(calls)
    expect(trip.end).toMatchObject({ code: 'SAGA_STUCK', effect: 'unknown', details: { step: 'z', reason: 'z failed after the pivot' } })
    expect(await trip.engine.sagas.list({ states: ['stuck'] })).toMatchObject([{ id: 'j', saga: 'journey' }])
  })

  test('is tried twenty times where the definition does not say how often', async () => {
    const trip = await travel({ plays: { z: [...Array.from({ length: 19 }, () => 'lost' as const), 'ok'] }, retry: {} })
    expect(trip.end).toBe('arrived')
  })
})

describe('an undo', () => {
  test('that fails is repeated with growing delays until it succeeds', async () => {
    const trip = await travel({ plays: { p: ['declined'], 'undo b': ['lost', 'down', 'ok'] } })
    expect(trip.calls).toEqual(['a', 'b', 'p', 'undo b', 'undo b', 'undo b', 'undo a'])
    const times = trip.timeline.filter(({ step }) => step === 'b').map(({ atEpochMs }) => atEpochMs)
    expect(times.map((time) => time - (times[0] as number))).toEqual([0, 0, 0, 0, 7.5, 22.5])
    expect(trip.end).toMatchObject({ code: 'SAGA_UNDONE' })
  })

  test('that keeps failing is parked, and holds those before it', async () => {
    const trip = await travel({ plays: { p: ['declined'], 'undo b': ['lost'] } })
    expect(trip.calls).toEqual(['a', 'b', 'p', ...repeated('undo b', 3)])
    expect(trip.end).toMatchObject({ code: 'SAGA_STUCK', details: { step: 'b', reason: 'undo of b failed' } })
    expect(trip.timeline.at(-1)).toMatchObject({ what: 'stuck', step: 'b', error: { message: 'socket hang up' } })
  })

  test('goes on when an operator says so, with the same key', async () => {
    const trip = await travel({ plays: { p: ['declined'], 'undo b': ['lost', 'lost', 'lost', 'ok'] } })
    await trip.engine.sagas.retry('j', { reason: 'they are up again' })
    expect(await trip.settle(errorOf(trip.handle.result()))).toMatchObject({ code: 'SAGA_UNDONE' })
    expect(trip.calls.slice(-2)).toEqual(['undo b', 'undo a'])
    expect(await trip.handle.timeline()).toContainEqual(expect.objectContaining({ what: 'retried', reason: 'they are up again' }))
  })

  test('is passed over when an operator says so', async () => {
    const trip = await travel({ plays: { p: ['declined'], 'undo b': ['declined'] } })
    expect(trip.calls.slice(-1)).toEqual(['undo b'])
    await trip.engine.sagas.skip('j', 'refunded by hand')
    expect(await trip.settle(errorOf(trip.handle.result()))).toMatchObject({ code: 'SAGA_UNDONE' })
    expect(trip.calls.slice(-2)).toEqual(['undo b', 'undo a'])
  })
})

describe('an operator', () => {
  test('may not skip a pivot, nor retry what is not stuck, nor find what does not exist', async () => {
    const trip = await travel({ plays: { p: ['failed'] } })
    const refused = { code: 'DECLINED', effect: 'none', retry: 'never' }
    expect(await errorOf(trip.engine.sagas.skip('j', 'x'))).toMatchObject({
      ...refused,
      message: expect.stringMatching(/: retry\(\) asks it again with the same idempotency key$/),
    })
    expect(await errorOf(trip.engine.sagas.retry('nobody'))).toMatchObject({ code: 'SAGA_NOT_FOUND' })
    expect(await errorOf(trip.engine.sagas.skip('j', ''))).toMatchObject({ code: 'INVALID_OPTIONS' })
    const done = await travel({})
    expect(await errorOf(done.engine.sagas.retry('j'))).toMatchObject(refused)
  })

  test('has a step after the pivot go on, or passes over it', async () => {
    const again = await travel({ plays: { z: ['lost', 'lost', 'ok'] } })
    await again.engine.sagas.retry('j')
    expect(await again.settle(again.handle.result())).toBe('arrived')
    const over = await travel({ plays: { z: ['lost'] } })
    await over.engine.sagas.skip('j', 'sent by hand')
    expect(await over.settle(over.handle.result())).toBe('arrived')
    expect(over.calls).toEqual(['a', 'b', 'p', 'z', 'z'])
  })

  test('is heard in the very moment that a saga is parked', async () => {
    const { process, settle } = world()
    const { flow } = journey({ plays: { p: ['failed', 'ok'] } })
    const engine = await process([flow])
    const retried = gate()
    engine.sagas.once('stuck', () => engine.sagas.retry('j').then(retried.open, retried.fail))
    const handle = await engine.sagas.start(flow, 'x', { id: 'j' })
    await settle(retried.promise)
    expect(await settle(handle.result())).toBe('arrived')
  })
})

describe('a deadline', () => {
  test('ends an attempt that ignores its signal, and what it brings later changes nothing', async () => {
    const { process, settle } = world()
    const late = gate<string>()
    const seen: unknown[] = []
    const flow = saga('slow', { version: 1, input: z.string() })
      .step('a', {
        timeoutMs: 50,
        retry: { attempts: 2, delayMs: 10 },
        run: (_, ctx) => {
          seen.push([ctx.attempt, ctx.remainingMs])
          return late.promise
        },
        undo: async (_, ctx) => void seen.push(ctx.undoes.outcome),
      })
      .returns(() => 1)
    const engine = await process([flow])
    const handle = await engine.sagas.start(flow, 'x', { id: 's' })
    const end = await settle(errorOf(handle.result()))
    expect(end).toMatchObject({ code: 'SAGA_UNDONE', cause: { code: 'DEADLINE', effect: 'unknown' } })
    expect(seen).toEqual([[1, 50], [2, 50], 'unknown'])
    const before = await handle.timeline()
    late.open('too late')
    await turns()
    expect(await handle.timeline()).toEqual(before)
  })
})

test('a saga whose output cannot be stored is parked, and goes on once that is mended', async () => {
  const { process, settle } = world()
  let output: unknown = new Map()
  const flow = saga('odd', { version: 1, input: z.string() })
    .pivot('p', { run: async () => 1 })
    .returns(() => output)
  const engine = await process([flow])
  const handle = await engine.sagas.start(flow, 'x', { id: 'o' })
  expect(await settle(errorOf(handle.result()))).toMatchObject({ code: 'SAGA_STUCK', cause: { code: 'NOT_JSON' } })
  output = 'fine'
  await engine.sagas.retry('o')
  expect(await settle(handle.result())).toBe('fine')
})
