import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import { createContext } from '../../src/core/create-context.ts'
import { diagnostics } from '../../src/core/diagnostics.ts'
import { type SagaEngineOptions, saga, sagaEngine } from '../../src/saga/index.ts'
import { errorOf, gate, journalWith, turns, world } from './world.ts'

const Order = z.object({ id: z.string(), items: z.array(z.string()).default([]) })

function trip(log: string[] = []) {
  const note = (what: string) => async (_: unknown, ctx: { idempotencyKey: string }) => {
    log.push(what)
    return ctx.idempotencyKey
  }
  return saga('trip', { version: 1, input: Order })
    .step('flight', { run: note('flight'), undo: note('undo flight') })
    .pivot('charge', { run: note('charge') })
    .step('mail', { run: note('mail') })
    .returns(({ flight, charge, input }) => ({ flight, charge, id: input.id }))
}
const order = { id: 'o1', items: [] }

describe('a saga that goes well', () => {
  test('runs its steps in order, each with a key of its own, and returns what the definition says', async () => {
    const { process } = world()
    const log: string[] = []
    const flow = trip(log)
    const engine = await process([flow])
    const handle = await engine.sagas.start(flow, order, { id: 'o1' })
    const result = await handle.result()
    expect(log).toEqual(['flight', 'charge', 'mail'])
    expect(result.id).toBe('o1')
    expect(result.flight).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(result.flight).not.toBe(result.charge)
    expect(await handle.status()).toEqual({ state: 'done', step: 'mail' })
    expect((await handle.timeline()).map(({ what, step }) => (step === undefined ? what : `${what} ${step}`))).toEqual([
      'started',
      'intent flight',
      'result flight',
      'intent charge',
      'result charge',
      'intent mail',
      'result mail',
      'done',
    ])
  })

  test('is durable when start resolves, and needs one durable write per step', async () => {
    const { process, store } = world()
    let appends = 0
    const flow = trip()
    const engine = await process([flow], {
      journal: (inner) =>
        journalWith(inner, {
          append: (writes) => {
            appends++
            return inner.append(writes)
          },
        }),
    })
    const handle = await engine.sagas.start(flow, order, { id: 'o1' })
    expect(store.sagas.get('o1')?.head.state).toBe('running')
    await handle.result()
    expect(appends).toBe(4)
  })

  test('shares its writes with the other sagas of the same turn', async () => {
    const { process } = world()
    const batches: number[] = []
    const flow = trip()
    const engine = await process([flow], {
      journal: (inner) =>
        journalWith(inner, {
          append: (writes) => {
            batches.push(writes.length)
            return inner.append(writes)
          },
        }),
    })
    const handles = await Promise.all(Array.from({ length: 50 }, (_, i) => engine.sagas.start(flow, order, { id: `o${i}` })))
    await Promise.all(handles.map((handle) => handle.result()))
    expect(batches).toEqual([50, 50, 50, 50])
  })

  test('hands the identity of its starter to every step, not the deadline', async () => {
    const { process, clock } = world()
    const seen: unknown[] = []
    const flow = saga('who', { version: 1, input: Order })
      .pivot('look', {
        run: async (_, { tenant, keys, correlationId, causationId, trace, remainingMs, attempt }) =>
          void seen.push({ tenant, keys, correlationId, causationId, trace, remainingMs, attempt }),
      })
      .returns(() => 1)
    const engine = await process([flow])
    const trace = { traceId: '0'.repeat(31).concat('1'), spanId: '0'.repeat(15).concat('1'), flags: 1 }
    const context = createContext({ clock, tenant: 'acme', keys: { host: 'a' }, correlationId: 'c', causationId: 'k', trace, timeoutMs: 5 })
    await (await engine.sagas.start(flow, order, { id: 'o1', context })).result()
    await (await engine.sagas.start(flow, order, { id: 'o2' })).result()
    const remainingMs = Number.POSITIVE_INFINITY
    expect(seen).toEqual([
      { tenant: 'acme', keys: { host: 'a' }, correlationId: 'c', causationId: 'k', trace, remainingMs, attempt: 1 },
      { tenant: undefined, keys: {}, correlationId: 'o2', causationId: undefined, trace: undefined, remainingMs, attempt: 1 },
    ])
  })

  test('tells listeners and the diagnostics channel after each record is durable', async () => {
    const { process, store } = world()
    const flow = trip()
    const engine = await process([flow])
    const events: string[] = []
    const stored = () => store.sagas.get('o1')?.head.seq
    engine.sagas.on('started', ({ id }) => events.push(`started ${id} ${stored()}`))
    engine.sagas.on('stepDone', ({ step }) => events.push(`${step} ${stored()}`))
    engine.sagas.on('done', ({ saga }) => events.push(`done ${saga} ${stored()}`))
    const published: unknown[] = []
    const listener = (message: unknown) => published.push((message as { event: string }).event)
    diagnostics.saga.subscribe(listener)
    await (await engine.sagas.start(flow, order, { id: 'o1' })).result()
    diagnostics.saga.unsubscribe(listener)
    expect(events).toEqual(['started o1 2', 'flight 4', 'charge 6', 'mail 8', 'done trip 8'])
    expect(published).toEqual(['started', 'intent', 'result', 'intent', 'result', 'intent', 'result', 'done'])
  })

  test('leaves no timer behind once the engine has stopped', async () => {
    const { process, clock } = world()
    const flow = trip()
    const engine = await process([flow])
    await (await engine.sagas.start(flow, order, { id: 'o1' })).result()
    await engine.stop({ drainMs: 1_000 })
    expect(clock.pending).toBe(0)
    expect(engine.health().status).toBe('down')
  })

  test('runs no more at once than it may, and the others later', async () => {
    const { process, settle } = world()
    let running = 0
    let most = 0
    const doors = Array.from({ length: 5 }, () => gate())
    const flow = saga('slow', { version: 1, input: z.number() })
      .pivot('wait', {
        run: async ({ input }) => {
          most = Math.max(most, ++running)
          await doors[input]?.promise
          running--
        },
      })
      .returns(({ input }) => input)
    const engine = await process([flow], { concurrent: 2, queued: 1 })
    const handles = await Promise.all(doors.map((_, i) => engine.sagas.start(flow, i, { id: `s${i}` })))
    await turns()
    expect(running).toBe(2)
    for (const door of doors) door.open()
    // What did not fit into memory waits in the journal, until a scan finds it.
    expect(await settle(Promise.all(handles.map((handle) => handle.result())))).toEqual([0, 1, 2, 3, 4])
    expect(most).toBe(2)
  })
})

describe('start', () => {
  test('refuses bad input before anything is written', async () => {
    const { process, store } = world()
    const flow = trip()
    const dated = saga('dated', { version: 1, input: z.object({ at: z.date() }) })
      .pivot('p', { run: async () => 1 })
      .returns(() => 1)
    const engine = await process([flow, dated])
    const start = engine.sagas.start.bind(engine.sagas)
    const refused = { effect: 'none', retry: 'never' }
    expect(await errorOf(start(flow, { id: 7 } as never, { id: 'x' }))).toMatchObject({ code: 'INVALID_INPUT', ...refused })
    expect(await errorOf(start(dated, { at: new Date(0) }, { id: 'x' }))).toMatchObject({
      code: 'NOT_JSON',
      message: expect.stringContaining('input.at: Date'),
      ...refused,
    })
    expect(await errorOf(start(trip(), order, { id: 'x' }))).toMatchObject({ code: 'NOT_REGISTERED', ...refused })
    for (const [none, shown] of [
      ['x', '"x"'],
      [undefined, 'undefined'],
    ])
      expect(await errorOf(start(none as never, order as never, { id: 'x' }))).toMatchObject({
        code: 'INVALID_OPTIONS',
        message: `start: its first argument must be a saga made by saga(…).returns(…), got ${shown}`,
        ...refused,
      })
    for (const options of [{ id: '' }, { id: '\udc00' }, { id: undefined }, {}, undefined])
      expect(await errorOf(start(flow, order, options as never))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/^saga trip: start: id must be a text of 1 to 200 characters without lone surrogates, got /),
        ...refused,
      })
    expect(await errorOf(start(flow, order, { id: 'x', idd: 1 } as never))).toMatchObject({ code: 'INVALID_OPTIONS', ...refused })
    expect(store.sagas.size).toBe(0)
  })

  test('answers NOT_STARTED before the engine is started and after it was stopped', async () => {
    const { process } = world()
    const flow = trip()
    const engine = await process([flow])
    await engine.stop({ drainMs: 0 })
    expect(await errorOf(engine.sagas.start(flow, order, { id: 'x' }))).toMatchObject({
      code: 'NOT_STARTED',
      effect: 'none',
      message: expect.stringContaining('the sagas are not started: await hf.start() first'),
    })
    await engine.start()
    await (await engine.sagas.start(flow, order, { id: 'x' })).result()
  })

  test('finds the same saga for the same id and input, and never runs it again', async () => {
    const { process } = world()
    const log: string[] = []
    const flow = trip(log)
    const engine = await process([flow])
    const [one, two] = await Promise.all([
      engine.sagas.start(flow, order, { id: 'o1' }),
      engine.sagas.start(flow, { items: [], id: 'o1' }, { id: 'o1' }),
    ])
    expect(await one.result()).toEqual(await two.result())
    const third = await engine.sagas.start(flow, order, { id: 'o1' })
    expect(await third.result()).toEqual(await one.result())
    expect(log).toEqual(['flight', 'charge', 'mail'])
  })

  test('refuses an id that another input or another saga has', async () => {
    const { process } = world()
    const flow = trip()
    const other = saga('other', { version: 1, input: Order })
      .pivot('p', { run: async () => 1 })
      .returns(() => 1)
    const engine = await process([flow, other])
    await engine.sagas.start(flow, order, { id: 'o1' })
    const reused = { code: 'SAGA_ID_REUSED', effect: 'none', retry: 'never' }
    expect(await errorOf(engine.sagas.start(flow, { id: 'o2', items: [] }, { id: 'o1' }))).toMatchObject({
      ...reused,
      message: expect.stringContaining('another input'),
    })
    expect(await errorOf(engine.sagas.start(other, order, { id: 'o1' }))).toMatchObject({
      ...reused,
      message: expect.stringContaining('a saga trip'),
    })
  })

  test('takes a schema that draws a default each time for the same input', async () => {
    const { process } = world()
    let drawn = 0
    const flow = saga('drawn', { version: 1, input: z.object({ n: z.number().default(() => ++drawn) }) })
      .pivot('p', { run: async ({ input }) => input.n })
      .returns(({ p }) => p)
    const engine = await process([flow])
    const one = await engine.sagas.start(flow, {} as never, { id: 'x' })
    const two = await engine.sagas.start(flow, {} as never, { id: 'x' })
    expect(await one.result()).toBe(1)
    expect(await two.result()).toBe(1)
  })

  test('gives up waiting when its context ends, while the saga goes on', async () => {
    const { process, settle, clock } = world()
    const flow = trip()
    const door = gate()
    const engine = await process([flow], {
      journal: (inner) => journalWith(inner, { append: (writes) => door.promise.then(() => inner.append(writes)) }),
    })
    const context = createContext({ clock, timeoutMs: 50 })
    const error = await settle(errorOf(engine.sagas.start(flow, order, { id: 'o1', context })))
    expect(error).toMatchObject({ code: 'DEADLINE', effect: 'unknown', retry: 'later' })
    door.open()
    await turns()
    expect((await engine.sagas.get(flow, 'o1').result()).id).toBe('o1')
  })
})

describe('a saga that is stuck', () => {
  const stuckOnce = async (step: 'p' | null, run: () => Promise<number>, output: () => number) => {
    const lines: unknown[] = []
    const other = (): void => {}
    const logger = { debug: other, info: other, warn: other, error: (...line: unknown[]) => void lines.push(line) }
    const { process, settle } = world()
    const flow = saga('flow', { version: 1, input: Order })
      .pivot('p', { run, retry: { attempts: 1 } })
      .returns(output)
    const engine = await process([flow], { logger })
    await settle(errorOf((await engine.sagas.start(flow, order, { id: 's' })).result()))
    expect(lines).toEqual([
      [
        { saga: 'flow', id: 's', step, reason: expect.stringMatching(/./), err: expect.objectContaining({ message: 'boom' }) },
        'a saga is stuck; it waits for sagas.retry() or sagas.skip()',
      ],
    ])
  }
  const boom = (): never => {
    throw new Error('boom')
  }

  test('is logged with the step and what it threw', () =>
    stuckOnce(
      'p',
      async () => boom(),
      () => 1,
    ))
  test('is logged where returns() failed', () => stuckOnce(null, async () => 1, boom))
})

describe('an engine', () => {
  test.each<[string, RegExp, Partial<Record<keyof SagaEngineOptions, unknown>> & { unknown?: unknown }]>([
    [
      'a definition that saga() did not make',
      /sagaEngine: definitions: each must be made by saga\(…\)\.returns\(…\), got an object with no keys$/,
      { definitions: [{}] },
    ],
    ['shards beyond its range', /shards must be a whole number from 1 to 4096, got 0/, { shards: 0 }],
    ['a short lease', /leaseMs must be .* at least 100, got 5/, { leaseMs: 5 }],
    ['a journal that is none', /sagaEngine: journal must be a saga journal/, { journal: {} }],
    ['an unknown option', /unknown option unknown/, { unknown: 1 }],
    ['undo retries without attempts', /sagaEngine: undoRetry: attempts must be/, { undoRetry: { attempts: 0 } }],
  ])('refuses %s', (_, message, options) => {
    const { sagaJournal } = memoryStorage()
    expect(() => sagaEngine({ journal: sagaJournal, definitions: [], ...options } as never)).toThrow(message)
  })

  test('refuses two definitions of one name', async () => {
    await expect(world().process([trip(), trip()])).rejects.toMatchObject({
      code: 'NAME_REUSED',
      effect: 'none',
      message: expect.stringContaining('sagaEngine: definitions: two sagas are named trip;'),
    })
  })

  test('may be started twice and stopped twice, and stopped before it is started', async () => {
    const { process } = world()
    const engine = await process([])
    await engine.start()
    await Promise.all([engine.stop({ drainMs: 0 }), engine.stop({ drainMs: 0 })])
    await engine.stop({ drainMs: 0 })
    expect(engine.health()).toEqual({ status: 'down', reason: 'the saga engine is not started' })
  })
})
