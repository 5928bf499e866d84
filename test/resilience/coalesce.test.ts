import { describe, expect, it, vi } from 'vitest'
import { bulkhead, coalesce, createContext, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const on = (sku: string) => ({ keys: { sku } })

function gate() {
  let end: (value: unknown) => void = () => {}
  let fail: (error: unknown) => void = () => {}
  const signals: AbortSignal[] = []
  const work = vi.fn(
    (ctx: { signal: AbortSignal }) =>
      new Promise<unknown>((resolve, reject) => {
        signals.push(ctx.signal)
        end = resolve
        fail = reject
      }),
  )
  return { work, signals, end: (value: unknown) => end(value), fail: (error: unknown) => fail(error) }
}

describe('coalesce', () => {
  it('shares one execution among calls of one key, and runs other keys and later calls anew', async () => {
    const { work, end } = gate()
    const single = coalesce({ by: 'sku' })
    const calls = Promise.all([single.run(work, on('a')), single.run(work, on('a'))])
    await Promise.resolve()
    expect(single.stats()).toEqual({ calls: 2, joined: 1, running: 1 })
    end(7)
    expect(await calls).toEqual([7, 7])
    expect(single.stats().running).toBe(0)
    expect(await single.run(() => 8, on('a'))).toBe(8)
    expect(await Promise.all([single.run(() => 1, on('b')), single.run(() => 2, on('c'))])).toEqual([1, 2])
  })

  it('shares errors, too, and forgets them', async () => {
    const { work, fail } = gate()
    const single = coalesce({ by: 'sku' })
    const calls = Promise.allSettled([single.run(work, on('a')), single.run(work, on('a'))])
    await Promise.resolve()
    fail(new Error('down'))
    expect((await calls).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await single.run(() => 1, on('a'))).toBe(1)
  })

  it('runs calls without a key alone', async () => {
    const work = vi.fn(async () => 1)
    const single = coalesce({ by: () => undefined })
    await Promise.all([single.run(work), single.run(work)])
    expect(work).toHaveBeenCalledTimes(2)
  })

  it('lets a caller with a short deadline leave alone, and the rest stay', async () => {
    const clock = testClock()
    const { work, signals, end } = gate()
    const single = coalesce({ by: 'sku' })
    const hasty = policies(timeout({ timeoutMs: 10, clock }), single).tryRun(work, on('a'))
    const first = single.tryRun(work, on('a'))
    await clock.advance(10)
    expect(await hasty).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
    // `hasty` and `first` are different compositions, so each has an execution of its own: the hasty one's is aborted.
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    end(1)
    expect(await first).toMatchObject({ ok: true, value: 1 })
  })

  it('aborts the execution when the last caller has left, and starts a new one for who comes then', async () => {
    const { work, signals } = gate()
    const single = coalesce({ by: 'sku' })
    const controllers = [new AbortController(), new AbortController()]
    const calls = controllers.map(({ signal }) => single.tryRun(work, { ...on('a'), signal }))
    await Promise.resolve()
    controllers[0]?.abort()
    expect(await calls[0]).toMatchObject({ error: { code: 'ABORTED', effect: 'unknown' } })
    expect(signals[0]?.aborted).toBe(false)
    controllers[1]?.abort()
    expect(await calls[1]).toMatchObject({ error: { code: 'ABORTED' } })
    expect(signals[0]?.aborted).toBe(true)
    expect(await single.run(() => 'anew', on('a'))).toBe('anew')
  })

  it('keeps the permits around a caller that left until the execution has ended', async () => {
    const slots = bulkhead({ concurrent: 5 })
    const { work, end } = gate()
    const guarded = policies(slots, coalesce({ by: 'sku' }))
    const controller = new AbortController()
    const left = guarded.tryRun(work, { ...on('a'), signal: controller.signal })
    const stays = guarded.run(work, on('a'))
    await Promise.resolve()
    controller.abort()
    await left
    await Promise.resolve()
    expect(slots.running).toBe(2)
    end(1)
    await stays
    await new Promise((resolve) => setImmediate(resolve))
    expect(slots.running).toBe(0)
  })

  it('does not begin for a caller who had given up', async () => {
    const work = vi.fn(async () => 1)
    const handler = coalesce({ by: 'sku' })(work)
    await expect(handler(1, createContext({ ...on('a'), signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'ABORTED',
      effect: 'none',
    })
    expect(work).not.toHaveBeenCalled()
  })

  it('refuses a missing or a wrong key rule', async () => {
    expect(() => coalesce(undefined as never)).toThrow('by must be')
    await expect(coalesce({ by: () => 3 as never }).run(() => 1)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })
})
