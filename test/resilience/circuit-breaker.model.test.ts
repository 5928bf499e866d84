// A model of the state machine: what is admitted and in which state it is, under any order of outcomes, time and orders from outside.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { circuitBreaker, consecutive, type Isolation } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { codeOf, type Deferred, deferred, settled } from './support.ts'

const OPEN_MS = 100
const PROBES = 2
const PROBE_TIMEOUT_MS = 300
const FAILURES = 2

type Step =
  | { readonly do: 'call' | 'isolate' | 'release' | 'close' | 'restore' }
  | { readonly do: 'end'; readonly which: number; readonly ok: boolean }
  | { readonly do: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Step>({ do: 'call' }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(20), ok: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 99, 100, 300) }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'isolate' }, { do: 'release' }, { do: 'close' }, { do: 'restore' }) },
)

/** The breaker as its documentation tells it, with none of its short cuts. */
class Model {
  nowMs = 0
  epoch = 0
  under: 'closed' | 'open' | 'probing' = 'closed'
  untilMs = 0
  inRow = 0
  proven = 0
  isolated = 0
  probes = new Map<number, number>()
  calls = new Map<number, number>()

  state(): string {
    if (this.isolated > 0) return 'isolated'
    if (this.under === 'open') return this.nowMs < this.untilMs ? 'open' : 'half-open'
    return this.under === 'closed' ? 'closed' : 'half-open'
  }
  to(under: Model['under']): void {
    this.under = under
    this.epoch += 1
    this.probes.clear()
    this.proven = 0
    if (under === 'closed') this.inRow = 0
    if (under === 'open') this.untilMs = this.nowMs + OPEN_MS
  }
  enter(id: number): 'ok' | 'BREAKER_OPEN' | 'BREAKER_ISOLATED' {
    if (this.isolated > 0) return 'BREAKER_ISOLATED'
    if (this.under === 'open' && this.nowMs >= this.untilMs) this.to('probing')
    for (const sinceMs of this.probes.values())
      if (this.nowMs - sinceMs >= PROBE_TIMEOUT_MS) {
        this.to('open')
        break
      }
    if (this.under === 'open') return 'BREAKER_OPEN'
    if (this.under === 'probing') {
      if (this.probes.size + this.proven >= PROBES) return 'BREAKER_OPEN'
      this.probes.set(id, this.nowMs)
    }
    this.calls.set(id, this.epoch)
    return 'ok'
  }
  end(id: number, ok: boolean): void {
    if (this.calls.get(id) !== this.epoch) return
    if (this.under === 'closed') {
      this.inRow = ok ? 0 : this.inRow + 1
      if (this.inRow >= FAILURES) this.to('open')
      return
    }
    const hung = this.nowMs - (this.probes.get(id) ?? 0) >= PROBE_TIMEOUT_MS
    this.probes.delete(id)
    if (!ok || hung) this.to('open')
    else if (++this.proven >= PROBES) this.to('closed')
  }
  isolate(): void {
    if (this.isolated++ > 0) return
    this.epoch += 1
    if (this.under === 'probing') this.under = 'open'
    this.probes.clear()
  }
}

test('it admits, refuses and changes state as its model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = testClock()
      const breaker = circuitBreaker({
        clock,
        trips: consecutive(FAILURES),
        openMs: OPEN_MS,
        probes: PROBES,
        probeTimeoutMs: PROBE_TIMEOUT_MS,
      })
      const model = new Model()
      const out: { readonly id: number; readonly work: Deferred; readonly answer: Promise<unknown> }[] = []
      const isolations: Isolation[] = []
      let ids = 0
      for (const one of steps) {
        if (one.do === 'call') {
          const id = ids++
          const work = deferred()
          let began = false
          const answer = breaker.tryRun(() => {
            began = true
            return work.promise
          })
          const expected = model.enter(id)
          expect(began).toBe(expected === 'ok')
          if (began) out.push({ id, work, answer })
          else expect(codeOf(await answer)).toBe(expected)
        } else if (one.do === 'end' && out.length > 0) {
          const [ended] = out.splice(one.which % out.length, 1)
          if (one.ok) ended?.work.resolve('ok')
          else ended?.work.reject(new Error('boom'))
          await ended?.answer
          model.end(ended?.id ?? -1, one.ok)
        } else if (one.do === 'wait') {
          await clock.advance(one.ms)
          model.nowMs += one.ms
        } else if (one.do === 'isolate') {
          isolations.push(breaker.isolate())
          model.isolate()
        } else if (one.do === 'release' && isolations.length > 0) {
          isolations.pop()?.release()
          model.isolated -= 1
        } else if (one.do === 'close') {
          breaker.close()
          isolations.length = 0
          model.isolated = 0
          model.to('closed')
        } else if (one.do === 'restore') {
          breaker.restore({ version: 1, state: 'open', openRemainingMs: OPEN_MS, openMs: OPEN_MS })
          model.to('open')
        }
        expect(breaker.state).toBe(model.state())
      }
      expect(clock.pending).toBe(0)
      for (const { work } of out) work.resolve('at last')
      await settled()
    }),
    { numRuns: 300 },
  )
})
