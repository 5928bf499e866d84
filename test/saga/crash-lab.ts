// Runs one saga under a script of outcomes, with crashes at chosen points, and says which promises it broke.
import { z } from 'zod'
import { declined } from '../../src/core/errors.ts'
import type { SagaJournal } from '../../src/ports/saga-journal.ts'
import { type SagaDefinition, type SagaEngine, saga } from '../../src/saga/index.ts'
import { journalWith, type World, world } from './world.ts'

/** `late`: the answer does not come within the step's limit, and the effect happens only after that. */
export type Play = 'ok' | 'declined' | 'down' | 'before' | 'lost' | 'late'

export interface StepScript {
  /** What the first attempts come to; from then on all is well. */
  readonly run: readonly Play[]
  readonly undo: readonly Play[]
}

export interface Scenario {
  readonly steps: readonly StepScript[]
  /** Its index; beyond the last for none. */
  readonly pivot: number
}

export interface Verdict {
  /** How many points there were to crash at. */
  readonly points: number
  readonly state: string
  readonly broken: readonly string[]
}

const FOREVER = new Promise<never>(() => {})

class Lab {
  readonly broken: string[] = []
  readonly calls: { readonly what: 'run' | 'undo'; readonly step: number; readonly key: string }[] = []
  readonly #applied = new Map<string, number>()
  readonly #undone = new Map<string, number>()
  readonly #refused = new Set<string>()
  readonly #turns = new Map<string, number>()
  points = 0
  life = 0
  #time = 0

  constructor(
    readonly scenario: Scenario,
    readonly crashes: ReadonlySet<number>,
    readonly world: World,
  ) {}

  /** The process of this life may die here; what is dead does nothing any more. */
  async point(life: number): Promise<void> {
    if (life !== this.life) return FOREVER
    if (!this.crashes.has(this.points++)) return
    this.life += 1
    return FOREVER
  }

  /** A participant that honours keys: one row per key, applied, undone or refused; what comes late finds it. */
  apply(key: string): void {
    if (this.#undone.has(key) || this.#refused.has(key)) throw declined('this key was undone, or refused')
    if (!this.#applied.has(key)) this.#applied.set(key, this.#time++)
  }

  async run(life: number, step: number, key: string): Promise<number> {
    await this.point(life)
    if (this.calls.some((call) => call.what === 'undo' && call.step === step)) this.broken.push(`step ${step} was called after its undo`)
    this.calls.push({ what: 'run', step, key })
    const play = this.#play(`run ${step}`, this.scenario.steps[step]?.run)
    if (play === 'declined' && !this.#applied.has(key)) this.#refused.add(key)
    if (play !== 'declined' || !this.#applied.has(key)) before(play)
    if (play === 'late') {
      this.world.clock.setTimer(() => this.#applyLate(key), 200)
      return FOREVER
    }
    this.apply(key)
    await this.point(life)
    if (play === 'lost') throw new Error('lost')
    return step
  }

  async undo(life: number, step: number, key: string, undoes: string): Promise<void> {
    await this.point(life)
    this.calls.push({ what: 'undo', step, key })
    const play = this.#play(`undo ${step}`, this.scenario.steps[step]?.undo)
    before(play)
    if (!this.#undone.has(undoes)) this.#undone.set(undoes, this.#time++)
    await this.point(life)
    if (play === 'lost') throw new Error('lost')
    if (play === 'late') return FOREVER
  }

  #applyLate(key: string): void {
    try {
      this.apply(key)
    } catch {
      // The tombstone of its undo: what the participant is for.
    }
  }

  #play(name: string, script: readonly Play[] | undefined): Play {
    const turn = this.#turns.get(name) ?? 0
    this.#turns.set(name, turn + 1)
    return script?.[turn] ?? 'ok'
  }

  definition(life: number): SagaDefinition<unknown, unknown> {
    const { steps, pivot } = this.scenario
    const flow = steps.reduce(
      (builder, _, i) => {
        // Few enough that some steps fail for good, and enough that none is parked.
        const options = { timeoutMs: 100, retry: { attempts: i < pivot ? 2 : 4, delayMs: 10 } }
        const run = (_: unknown, ctx: { idempotencyKey: string }) => this.run(life, i, ctx.idempotencyKey)
        if (i === pivot) return builder.pivot(`s${i}`, { ...options, run }) as never
        if (i > pivot) return builder.step(`s${i}`, { ...options, run }) as never
        return builder.step(`s${i}`, {
          ...options,
          run,
          undo: (_, ctx) => this.undo(life, i, ctx.idempotencyKey, ctx.undoes.idempotencyKey),
        }) as never
      },
      saga('lab', { version: 1, input: z.string() }),
    )
    return flow.returns((state) => Object.keys(state))
  }

  journal(life: number, inner: SagaJournal): SagaJournal {
    const alive = <T>(answer: () => Promise<T>): Promise<T> => (life === this.life ? answer() : FOREVER)
    return journalWith(inner, {
      append: async (writes) => {
        await this.point(life)
        const verdicts = await inner.append(writes)
        await this.point(life)
        return verdicts
      },
      claim: (owner, options) => alive(() => inner.claim(owner, options)),
      read: (id) => alive(() => inner.read(id)),
      list: (filter) => alive(() => inner.list(filter)),
      head: (id) => inner.head(id),
    })
  }

  /** What the ledgers of the participants say of the end. */
  judge(state: string): void {
    const { steps, pivot } = this.scenario
    const ran = (i: number) => this.calls.filter((call) => call.what === 'run' && call.step === i)
    for (const [i] of steps.entries()) {
      const keys = new Set(ran(i).map(({ key }) => key))
      if (keys.size > 1) this.broken.push(`step ${i} had ${keys.size} keys`)
      const [key = ''] = keys
      const applied = this.#applied.has(key)
      const undone = this.#undone.has(key)
      if (state === 'done' && (!applied || undone)) this.broken.push(`done, and step ${i} is ${undone ? 'undone' : 'not applied'}`)
      if (state === 'undone' && applied && !undone) this.broken.push(`undone, and step ${i} is applied`)
      if (state === 'undone' && i >= pivot && applied) this.broken.push(`undone past the pivot`)
      if (applied && undone && (this.#applied.get(key) as number) > (this.#undone.get(key) as number))
        this.broken.push(`step ${i} took effect after its undo`)
    }
    const order = this.calls.filter(({ what }) => what === 'undo').map(({ step }) => step)
    if (order.some((step, n) => n > 0 && step > (order[n - 1] as number))) this.broken.push(`undone in the order ${order}`)
    if (state !== 'done' && state !== 'undone') this.broken.push(`it ended as ${state}`)
  }
}

function before(play: Play): void {
  if (play === 'declined') throw declined('no')
  if (play === 'down') throw Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' })
  if (play === 'before') throw new Error('broke off before it began')
}

export async function play(scenario: Scenario, crashes: ReadonlySet<number>): Promise<Verdict> {
  const lab = new Lab(scenario, crashes, world())
  const { clock } = lab.world
  let life = -1
  let engine: SagaEngine | undefined
  let state: string | undefined
  for (let hop = 0; hop < 3_000; hop++) {
    if (life !== lab.life) {
      life = lab.life
      const [born, flow] = [life, lab.definition(life)]
      engine = await lab.world.process([flow], { leaseMs: 1_000, scanMs: 100, journal: (inner) => lab.journal(born, inner) })
      // Whoever started it asks again after a crash, as a client would.
      void engine.sagas.start(flow, 'x', { id: 'lab' }).catch(() => {})
    }
    await clock.next()
    const head = lab.world.store.sagas.get('lab')?.head
    state = head?.state
    if (state === 'done' || state === 'undone' || state === 'stuck') break
  }
  // What comes late comes now.
  await clock.advance(500)
  lab.judge(state ?? 'nothing')
  return { points: lab.points, state: state ?? 'nothing', broken: lab.broken }
}
