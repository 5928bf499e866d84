// A run: processes that append and read, everything that can happen to them, and the verdict of the checker.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Chaos, chaosOf } from './chaos.ts'
import { check, type Violation } from './checker.ts'
import { Dice } from './dice.ts'
import type { History, Place, Reading } from './history.ts'
import type { Order, Target } from './order.ts'
import { recorded, TortureProcess } from './process.ts'
import { type Opened, openTarget } from './target.ts'

export interface TortureOptions {
  readonly target: Target
  readonly seed: number
  readonly writers: number
  readonly readers: number
  readonly keepers: number
  readonly actors: number
  readonly streams: number
  readonly joinedShare: number
  /** How long the writers work, in milliseconds. */
  readonly lastsMs: number
  /** How often something goes wrong, in milliseconds on average. */
  readonly strikeEveryMs: number
}

export interface TortureReport {
  readonly violations: readonly Violation[]
  /** Asks that were made, by their answer; `unanswered`: of processes that were killed. */
  readonly asks: Readonly<Record<string, number>>
  readonly events: number
  readonly readings: number
  /** Moves of the keepers' checkpoint. */
  readonly kept: number
  readonly strikes: Readonly<Record<string, number>>
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Bundles the child, with the packages that it loads left where they are. */
async function bundled(outfile: string): Promise<string> {
  const entryPoints = [fileURLToPath(new URL('./child.ts', import.meta.url))]
  const packages = ['pg', 'postgres', 'libsql', 'better-sqlite3', 'p-retry', 'p-queue', 'eventemitter3']
  await build({
    entryPoints,
    outfile,
    bundle: true,
    external: packages,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  })
  return outfile
}

/** One run in a folder of its own inside the repository, so that the processes find its packages. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  mkdirSync('.tmp', { recursive: true })
  const folder = mkdtempSync(join(process.cwd(), '.tmp', 'torture-'))
  const opened = await openTarget(options.target)
  try {
    const script = await bundled(join(folder, 'child.mjs'))
    const run = new Run(options, folder, script, await chaosOf(options.target))
    let history: History
    try {
      await run.work()
      await run.calm()
      history = await run.history(await settled(opened.store), opened.store)
    } finally {
      await run.end()
    }
    return { violations: check(history), ...summary(history), strikes: run.strikes }
  } finally {
    await opened.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Run {
  readonly strikes: Record<string, number> = {}
  readonly #options: TortureOptions
  readonly #folder: string
  readonly #script: string
  readonly #chaos: Chaos
  readonly #dice: Dice
  readonly #orders: Order[] = []
  readonly #started: TortureProcess[] = []
  #turn = 0
  #calm: Promise<void> | undefined
  #writers: TortureProcess[] = []
  #readers: TortureProcess[] = []
  readonly #keepers: TortureProcess[] = []

  constructor(options: TortureOptions, folder: string, script: string, chaos: Chaos) {
    this.#options = options
    this.#folder = folder
    this.#script = script
    this.#chaos = chaos
    this.#dice = new Dice(options.seed)
  }

  async work(): Promise<void> {
    const { writers, readers, keepers, lastsMs, strikeEveryMs } = this.#options
    for (let n = 0; n < writers; n++) this.#writers.push(this.#start('writer'))
    for (let n = 0; n < readers; n++) this.#readers.push(this.#start('reader'))
    for (let n = 0; n < keepers; n++) this.#keepers.push(this.#start('keeper'))
    await Promise.all(this.#all().map(({ ready }) => ready))
    const untilMs = performance.now() + lastsMs
    while (performance.now() < untilMs) {
      await sleep(this.#dice.next() * 2 * strikeEveryMs)
      await this.#strike()
    }
    for (const process of [...this.#writers, ...this.#keepers]) await process.end()
  }

  /** Nothing goes wrong any more. */
  async calm(): Promise<void> {
    this.#calm ??= this.#chaos.end()
    await this.#calm
  }

  /** Whatever has come of it: no process is left. */
  async end(): Promise<void> {
    await Promise.all(this.#started.map((one) => one.kill()))
    await this.calm()
  }

  #all(): TortureProcess[] {
    return [...this.#writers, ...this.#readers, ...this.#keepers]
  }

  #start(role: Order['role'], after = 0): TortureProcess {
    const { target, actors, streams, joinedShare } = this.#options
    const name = `${role[0]}${this.#orders.length}`
    const order = {
      target,
      name,
      role,
      record: join(this.#folder, name),
      seed: this.#dice.below(2 ** 31),
      actors,
      streams,
      joinedShare,
      after,
    }
    this.#orders.push(order)
    const started = new TortureProcess(this.#script, order)
    this.#started.push(started)
    return started
  }

  async #strike(): Promise<void> {
    // In turns, so that a short run meets each of them.
    const turn = this.#turn++ % 7
    const acts = [
      () => this.#killWriter(),
      () => this.#stopOne(),
      undefined,
      () => this.#killReader(),
      undefined,
      () => this.#stopOne(),
      undefined,
    ]
    const name = await (acts[turn] ?? (() => this.#chaos.strike(this.#dice)))()
    this.strikes[name] = (this.strikes[name] ?? 0) + 1
  }

  async #killWriter(): Promise<string> {
    const at = this.#dice.below(this.#writers.length)
    await this.#writers[at]?.kill()
    this.#writers[at] = this.#start('writer')
    await this.#writers[at]?.ready
    return 'a writer killed'
  }

  /** Its successor goes on from what it had seen, or from an earlier place. */
  async #killReader(): Promise<string> {
    const at = this.#dice.below(this.#readers.length)
    const former = this.#readers[at] as TortureProcess
    await former.kill()
    const seen = former.at
    this.#readers[at] = this.#start('reader', this.#dice.chance(0.5) ? seen : this.#dice.below(seen + 1))
    await this.#readers[at]?.ready
    return 'a reader killed'
  }

  async #stopOne(): Promise<string> {
    const all = this.#all()
    const one = all[this.#dice.below(all.length)] as TortureProcess
    one.pause()
    await sleep(this.#dice.below(800))
    one.resume()
    return 'a process stopped for a while'
  }

  /** Ends the readers once each has come to the head, or has had ten seconds for it. */
  async history(log: readonly Place[], store: Opened['store']): Promise<History> {
    const { position } = await store.head()
    const untilMs = performance.now() + 10_000
    const isBehind = (): boolean => this.#readers.some(({ at }) => at < Number(position))
    while (isBehind() && performance.now() < untilMs) await sleep(100)
    const late = isBehind()
    for (const reader of this.#readers) await reader.end()
    if (late) throw new Error(`a reader did not reach the head (${position}) within ten seconds`)
    return this.#history(log)
  }

  async #history(log: readonly Place[]): Promise<History> {
    const history = {
      kept: [] as History['kept'][number][],
      held: this.#chaos.held,
      asks: [] as History['asks'][number][],
      answers: [] as History['answers'][number][],
      readings: [] as Reading[],
      log,
    }
    for (const order of this.#orders) {
      const { asks, answers, kept, batches } = await recorded(order)
      for (const ask of asks) history.asks.push(ask)
      for (const answer of answers) history.answers.push(answer)
      history.kept.push(...kept)
      if (order.role === 'reader') history.readings.push({ reader: order.name, after: order.after, batches })
    }
    return history
  }
}

/** The whole log, once nothing is on its way into it any more: what a cut connection leaves behind may still commit for a moment. */
async function settled(store: Opened['store']): Promise<Place[]> {
  let head = await store.head()
  for (let quiet = 0; quiet < 5; ) {
    await sleep(200)
    const next = await store.head()
    quiet = next.position === head.position && (await store.stats()).pendingJoined === 0 ? quiet + 1 : 0
    head = next
  }
  const log: Place[] = []
  for await (const { events } of store.readAll({ batch: 10_000 }))
    for (const { position, id, stream, version, tags } of events) log.push({ position: Number(position), id, stream, version, tags })
  return log
}

function summary({ asks, answers, log, readings, kept }: History): Pick<TortureReport, 'asks' | 'events' | 'readings' | 'kept'> {
  const counts: Record<string, number> = { asked: asks.length, unanswered: asks.length - answers.length }
  for (const { result } of answers) counts[result] = (counts[result] ?? 0) + 1
  return {
    asks: counts,
    events: log.length,
    readings: readings.reduce((sum, { batches }) => sum + batches.length, 0),
    kept: kept.filter(({ isSaved }) => isSaved).length,
  }
}
