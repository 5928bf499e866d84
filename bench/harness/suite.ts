// What a suite says of itself: `export default suite('core', { baselines: { 'bare await': … }, cases: […] })`.

/** What is measured. */
export type Subject =
  /** Called in a loop and awaited; its time per call is measured. */
  | { readonly fn: () => unknown }
  /** The same, for a function that needs something opened first. */
  | { readonly make: () => Promise<() => unknown> }
  /** Measures itself, once a round, and answers with a number in the case's unit. `rounds`: how often at most. */
  | { readonly sample: () => number | Promise<number>; readonly rounds?: number }

export interface Target {
  /** The case may cost this many times its first baseline (`better: 'lower'`), or must reach this share of it (`'higher'`). */
  readonly ratio?: number
  readonly bytesMax?: number
  /** The case's own number may be this high. */
  readonly valueMax?: number
}

export type Case = Subject & {
  readonly name: string
  /** Names of baselines, each giving a line of its own. Default: the suite's first. The target belongs to the first of them. */
  readonly against?: readonly string[]
  readonly target?: Target
  /** Targets against further baselines, by their names. */
  readonly targets?: Readonly<Record<string, Target>>
  /** Default 'ns'. */
  readonly unit?: string
  /** Default 'lower'. */
  readonly better?: 'lower' | 'higher'
  /** Errors are part of the case: they are caught in the loop, and in the loops of its baselines. */
  readonly throws?: boolean
}

export interface Suite {
  readonly name: string
  readonly baselines: Readonly<Record<string, Subject>>
  readonly cases: readonly Case[]
}

export function suite(name: string, definition: Omit<Suite, 'name'>): Suite {
  const names = new Set<string>()
  for (const { name: caseName, against = [], targets = {} } of definition.cases) {
    if (names.has(caseName)) throw new Error(`suite ${name}: two cases are named "${caseName}"`)
    names.add(caseName)
    const missing = [...against, ...Object.keys(targets)].find((baseline) => !(baseline in definition.baselines))
    if (missing !== undefined) throw new Error(`suite ${name}, case "${caseName}": there is no baseline "${missing}"`)
  }
  return { name, ...definition }
}
