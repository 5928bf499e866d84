import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { declined, HoldfastError } from '../../src/core/errors.ts'
import { saga } from '../../src/saga/index.ts'
import { errorOf, gate, turns, world } from './world.ts'

const refused = { code: 'DECLINED', effect: 'none', retry: 'never' }

/** Three steps behind doors; `log` has what was called. */
function hall() {
  const log: string[] = []
  const doors = { a: gate<string>(), p: gate<string>(), undo: gate() }
  const note = <T>(what: string, answer: T): T => {
    log.push(what)
    return answer
  }
  const flow = saga('hall', { version: 1, input: z.string() })
    .step('a', {
      run: () => note('a', doors.a.promise),
      undo: async (_, ctx) => {
        log.push(`undo a ${ctx.undoes.outcome}`)
        await doors.undo.promise
      },
      retry: { attempts: 3, delayMs: 20_000 },
    })
    .pivot('p', { run: () => note('p', doors.p.promise) })
    .step('z', { run: async () => 1 })
    .returns(() => 'through')
  return { flow, doors, log }
}

async function enter() {
  const { process, settle, clock } = world()
  const { flow, doors, log } = hall()
  const engine = await process([flow])
  const handle = await engine.sagas.start(flow, 'x', { id: 'h' })
  await turns()
  return { engine, handle, doors, log, settle, clock, flow }
}

describe('a cancel', () => {
  test('lets the attempt under way end, begins nothing more, and undoes what was done', async () => {
    const { handle, doors, log, settle } = await enter()
    await handle.cancel('changed my mind')
    expect(await handle.status()).toEqual({ state: 'undoing', step: 'a' })
    expect(log).toEqual(['a'])
    doors.a.open('done')
    doors.undo.open()
    const end = await settle(errorOf(handle.result()))
    expect(end).toMatchObject({
      code: 'SAGA_UNDONE',
      details: { reason: 'changed my mind' },
      message: expect.stringContaining('it was cancelled: changed my mind'),
    })
    expect(log).toEqual(['a', 'undo a ok'])
  })

  test('cuts a wait between two attempts short, and tells the undo that the outcome is unknown', async () => {
    const { handle, doors, log, clock } = await enter()
    doors.a.fail(new Error('lost'))
    await turns()
    await handle.cancel('no')
    doors.undo.open()
    expect(await errorOf(handle.result())).toMatchObject({ code: 'SAGA_UNDONE' })
    expect(log).toEqual(['a', 'undo a unknown'])
    expect(clock.nowMs()).toBe(0)
  })

  test('undoes no step that certainly did nothing', async () => {
    const { handle, doors, log } = await enter()
    await handle.cancel('no')
    doors.a.fail(declined('no'))
    expect(await errorOf(handle.result())).toMatchObject({ code: 'SAGA_UNDONE', details: { reason: 'no' } })
    expect(log).toEqual(['a'])
  })

  test('does not repeat an attempt that failed meanwhile', async () => {
    const { handle, doors, log, clock } = await enter()
    await handle.cancel('no')
    doors.a.fail(new Error('lost'))
    doors.undo.open()
    expect(await errorOf(handle.result())).toMatchObject({ code: 'SAGA_UNDONE' })
    expect(log).toEqual(['a', 'undo a unknown'])
    expect(clock.nowMs()).toBe(0)
  })

  test('is refused once the intent of the pivot is recorded', async () => {
    const { handle, doors, log } = await enter()
    doors.a.open('done')
    await turns()
    expect(log).toEqual(['a', 'p'])
    expect(await errorOf(handle.cancel('no'))).toMatchObject({ ...refused, message: expect.stringContaining('its pivot has begun') })
    doors.p.open('done')
    expect(await handle.result()).toBe('through')
    expect(await errorOf(handle.cancel('no'))).toMatchObject({ ...refused, message: expect.stringContaining('it is done') })
  })

  test('does nothing more to what is being undone, and needs a reason and a saga', async () => {
    const { engine, handle, doors, flow } = await enter()
    await Promise.all([handle.cancel('one'), handle.cancel('two')])
    doors.a.open('done')
    await turns()
    await handle.cancel('three')
    doors.undo.open()
    expect(await errorOf(handle.result())).toMatchObject({ details: { reason: 'one' } })
    await handle.cancel('four')
    expect((await handle.timeline()).filter(({ what }) => what === 'cancelled').length).toBe(1)
    expect(await errorOf(handle.cancel(''))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(await errorOf(engine.sagas.get(flow, 'nobody').cancel('no'))).toMatchObject({ code: 'SAGA_NOT_FOUND', effect: 'none' })
  })

  test('is undone by the next process where this one crashed in mid-step', async () => {
    const { process, settle } = world()
    const one = hall()
    const first = await process([one.flow])
    const handle = await first.sagas.start(one.flow, 'x', { id: 'h' })
    await turns()
    await handle.cancel('no')
    await first.stop({ drainMs: 0 })
    const two = hall()
    two.doors.undo.open()
    const second = await process([two.flow])
    expect(await settle(errorOf(second.sagas.get(two.flow, 'h').result()))).toMatchObject({ details: { reason: 'no' } })
    expect(two.log).toEqual(['undo a unknown'])
  })

  test('is refused, for later, by a process that does not own the saga', async () => {
    const { process } = world()
    const { flow } = hall()
    const owner = await process([flow])
    await owner.sagas.start(flow, 'x', { id: 'h' })
    const other = await process([flow])
    expect(await errorOf(other.sagas.get(flow, 'h').cancel('no'))).toMatchObject({ code: 'STORAGE_LOCKED', effect: 'none', retry: 'later' })
  })
})

describe('waiting for a result', () => {
  test('ends at timeoutMs, while the saga goes on', async () => {
    const { handle, doors, settle, clock } = await enter()
    expect(await settle(errorOf(handle.result({ timeoutMs: 200 })))).toMatchObject({
      code: 'WAIT_TIMEOUT',
      effect: 'unknown',
      retry: 'later',
    })
    expect(clock.nowMs()).toBe(200)
    doors.a.open('done')
    doors.p.open('done')
    expect(await handle.result()).toBe('through')
  })

  test('ends when the signal aborts, at once', async () => {
    const { handle } = await enter()
    const controller = new AbortController()
    const waiting = errorOf(handle.result({ signal: controller.signal }))
    await turns()
    controller.abort(new Error('enough'))
    expect(await waiting).toMatchObject({ code: 'ABORTED', effect: 'unknown', cause: { message: 'enough' } })
    expect(await errorOf(handle.result({ signal: controller.signal }))).toMatchObject({ code: 'ABORTED' })
  })

  test('is refused for a saga that does not exist, or is of another definition', async () => {
    const { process } = world()
    const { flow } = hall()
    const other = saga('other', { version: 1, input: z.string() })
      .pivot('p', { run: async () => 1 })
      .returns(() => 1)
    const engine = await process([flow, other])
    await engine.sagas.start(flow, 'x', { id: 'h' })
    for (const handle of [engine.sagas.get(flow, 'no'), engine.sagas.get(other, 'h')]) {
      for (const ask of [handle.result(), handle.status(), handle.timeline()])
        expect(await errorOf(ask)).toMatchObject({ code: 'SAGA_NOT_FOUND', effect: 'none', retry: 'never' })
    }
    expect(await errorOf(engine.sagas.get(flow, 'no').result({ timeoutMs: -1 }))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(() => engine.sagas.get(flow, '')).toThrow(HoldfastError)
  })

  test('in another process reads the journal until the end is there', async () => {
    const { process, settle } = world()
    const { flow, doors } = hall()
    const owner = await process([flow])
    await owner.sagas.start(flow, 'x', { id: 'h' })
    const other = await process([flow])
    const waiting = other.sagas.get(flow, 'h').result()
    await turns()
    doors.a.open('done')
    doors.p.open('done')
    expect(await settle(waiting)).toBe('through')
  })

  test('ends when the engine stops', async () => {
    const { engine, handle } = await enter()
    const waiting = errorOf(handle.result())
    await turns()
    await engine.stop({ drainMs: 0 })
    expect(await waiting).toMatchObject({ code: 'NOT_STARTED' })
  })
})
