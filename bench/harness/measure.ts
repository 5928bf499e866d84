// Interleaved short slices: in each round every subject runs for about 2 ms, so that what else the machine does hits all alike.
import type { Subject } from './suite.ts'

const sliceMs = 2
const warmUpMs = 400
const warmUpCalls = 20_000
const roundsMax = 151
const roundsMin = 15
const suiteMs = 40_000
const heapRuns = 5
const heapCalls = 4_000

export interface Measured {
  /** The quiet decile: the value that a tenth of the rounds stayed below. What ratios are made of. */
  readonly quiet: number
  readonly median: number
  readonly bytesPerOp?: number
}

export type Measurable = Subject & { readonly throws?: boolean }

type Loop = (fn: () => unknown, calls: number) => Promise<void>

interface Runner {
  readonly key: string
  readonly values: number[]
  readonly bytes: number[]
  /** One slice; answers with the value of one call. */
  slice(): Promise<number>
  /** It has been measured so often when it is done. */
  readonly rounds: number
  heap?(): Promise<number>
}

/** A loop of its own for every subject: with a shared one, what one subject taught the compiler would slow down the others. */
function createLoop(catches: boolean): Loop {
  const body = catches ? 'try { await fn() } catch {}' : 'await fn()'
  return new Function(`return async function (fn, calls) { for (let i = 0; i < calls; i++) ${body} }`)() as Loop
}

async function timeMs(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

async function warmUp(loop: Loop, fn: () => unknown): Promise<number> {
  const untilMs = performance.now() + warmUpMs
  for (let calls = 0; calls < warmUpCalls && performance.now() < untilMs; calls += 100) await loop(fn, 100)
  const perCallMs = (await timeMs(() => loop(fn, 200))) / 200
  return Math.max(20, Math.min(50_000, Math.ceil(sliceMs / perCallMs)))
}

async function createRunner(key: string, subject: Measurable): Promise<Runner> {
  const results = { key, values: [], bytes: [], rounds: roundsMax }
  if ('sample' in subject) return { ...results, rounds: subject.rounds ?? roundsMax, slice: async () => subject.sample() }
  const fn = 'make' in subject ? await subject.make() : subject.fn
  const loop = createLoop(subject.throws === true)
  const calls = await warmUp(loop, fn)
  return {
    ...results,
    slice: async () => ((await timeMs(() => loop(fn, calls))) * 1e6) / calls,
    async heap() {
      globalThis.gc?.()
      const before = process.memoryUsage().heapUsed
      await loop(fn, heapCalls)
      return (process.memoryUsage().heapUsed - before) / heapCalls
    },
  }
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)
const quantile = (values: readonly number[], share: number) => sorted(values)[Math.floor((values.length - 1) * share)] ?? Number.NaN

/** Subject by name → its numbers. `higher` names the subjects whose quiet decile is their highest. */
export async function measure(subjects: ReadonlyMap<string, Measurable>, higher: ReadonlySet<string>): Promise<Map<string, Measured>> {
  const runners: Runner[] = []
  for (const [key, subject] of subjects) runners.push(await createRunner(key, subject))
  const untilMs = performance.now() + suiteMs
  for (let round = 0; round < roundsMax && (round < roundsMin || performance.now() < untilMs); round++) {
    // Each round begins with another subject, so that none always pays for its neighbour's garbage.
    for (let i = 0; i < runners.length; i++) {
      const runner = runners[(i + round) % runners.length]
      if (runner !== undefined && round < runner.rounds) runner.values.push(await runner.slice())
    }
  }
  for (let run = 0; run < heapRuns; run++) for (const runner of runners) if (runner.heap) runner.bytes.push(await runner.heap())
  return new Map(
    runners.map(({ key, values, bytes }) => {
      const numbers = { quiet: quantile(values, higher.has(key) ? 0.9 : 0.1), median: quantile(values, 0.5) }
      return [key, bytes.length > 0 ? { ...numbers, bytesPerOp: Math.round(quantile(bytes, 0.5)) } : numbers]
    }),
  )
}
