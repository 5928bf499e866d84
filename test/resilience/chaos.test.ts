import { describe, expect, it, vi } from 'vitest'
import { chaos, createContext, HoldfastError, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const pattern = async (seed: number, calls = 200): Promise<string> => {
  const drill = chaos({ rate: 0.3, fault: () => 'drill', seed })
  let marks = ''
  for (let n = 0; n < calls; n++) marks += (await drill.tryRun(() => 1)).ok ? '.' : 'x'
  return marks
}

describe('chaos', () => {
  it('disturbs the same calls for the same seed, and others for another', async () => {
    expect(await pattern(7)).toBe(await pattern(7))
    expect(await pattern(7)).not.toBe(await pattern(8))
  })

  it('disturbs about the share of calls that rate says', async () => {
    const disturbed = (await pattern(3, 2_000)).split('x').length - 1
    expect(disturbed).toBeGreaterThan(500)
    expect(disturbed).toBeLessThan(700)
  })

  it('does not call the work where it answers with a fault or an outcome', async () => {
    const work = vi.fn(() => 'work')
    await expect(chaos({ rate: 1, fault: () => new Error('drill') }).run(work)).rejects.toThrow('drill')
    await expect(chaos({ rate: 1, outcome: () => 'made up' }).run(work)).resolves.toBe('made up')
    expect(work).not.toHaveBeenCalled()
  })

  it('delays a disturbed call and then runs it', async () => {
    const clock = testClock()
    const done = vi.fn()
    const call = chaos({ rate: 1, latencyMs: 300, clock })
      .run(() => 'work')
      .then(done)
    await clock.advance(299)
    expect(done).not.toHaveBeenCalled()
    await clock.advance(1)
    await call
    expect(done).toHaveBeenCalledWith('work')
  })

  it('draws delays from the whole range and from nothing else', async () => {
    const drill = chaos({ rate: 1, latencyMs: { min: 10, max: 20 }, outcome: () => 0, seed: 1, clock: testClock() })
    const delays: number[] = []
    drill.on('disturbed', ({ latencyMs }) => void delays.push(latencyMs))
    for (let n = 0; n < 300; n++) void drill.run(() => 1)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10)
    expect(Math.min(...delays)).toBeLessThan(11)
    expect(Math.max(...delays)).toBeGreaterThan(19)
    expect(Math.max(...delays)).toBeLessThan(20)
  })

  it('ends a delay at once when the caller gives up, without calling the work or leaving a timer', async () => {
    const clock = testClock()
    const work = vi.fn()
    const controller = new AbortController()
    const call = chaos({ rate: 1, latencyMs: 1_000, clock }).tryRun(work, { signal: controller.signal })
    await clock.advance(10)
    controller.abort('bye')
    expect(await call).toMatchObject({ ok: false, error: { code: 'ABORTED', cause: 'bye' } })
    expect(work).not.toHaveBeenCalled()
    expect(clock.pending).toBe(0)
  })

  it('does not call a handler either that nobody waits for any more', async () => {
    const clock = testClock()
    const work = vi.fn(async () => 1)
    const controller = new AbortController()
    const context = createContext({ signal: controller.signal, clock })
    const answer = chaos({ rate: 1, latencyMs: 1_000, clock })(work)(undefined, context).catch((error: unknown) => error)
    controller.abort()
    expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(work).not.toHaveBeenCalled()
  })

  it('lets a timeout around it end the delay', async () => {
    const clock = testClock()
    const drill = policies(timeout({ timeoutMs: 100, clock }), chaos({ rate: 1, latencyMs: 1_000, clock }))
    const call = drill.tryRun(() => 1)
    await clock.advance(100)
    expect(await call).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
    await clock.advance(0)
    expect(clock.pending).toBe(0)
  })

  it('is switched off and on while it works, keeping the rest', async () => {
    const drill = chaos({ rate: 1, fault: () => 'drill', name: 'friday' })
    drill.reconfigure({ enabled: false })
    await expect(drill.run(() => 1)).resolves.toBe(1)
    expect(drill.stats()).toEqual({ calls: 0, disturbed: 0, enabled: false })
    drill.reconfigure({ enabled: true })
    await expect(drill.run(() => 1)).rejects.toBe('drill')
    expect(drill.stats()).toEqual({ calls: 1, disturbed: 1, enabled: true })
    expect(drill.name).toBe('friday')
  })

  it.each([
    [{ rate: 1.2 }, 'chaos: rate must be a number from 0 to 1, got 1.2'],
    [{ latencyMs: { min: 5, max: 1 } }, 'latencyMs must be'],
    [{ latencyMs: -1 }, 'latencyMs must be'],
    [{ fault: 3 }, 'fault must be a function, got 3'],
    [{ fault: () => 1, outcome: () => 1 }, 'fault must be absent'],
    [{ sed: 1 }, 'unknown option sed'],
  ])('refuses %j', (options, message) => {
    const make = () => chaos(options as never)
    expect(make).toThrow(message)
    expect(make).toThrow(HoldfastError)
  })

  it('changes nothing when a reconfiguration is refused', () => {
    const drill = chaos({ rate: 1, fault: () => 'drill' })
    expect(() => drill.reconfigure({ enabled: false, outcome: () => 1 })).toThrow('fault must be absent')
    expect(drill.stats().enabled).toBe(true)
  })
})
