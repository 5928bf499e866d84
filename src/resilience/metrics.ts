import { singleton } from '../core/singleton.ts'

/** The numbers of one policy at one moment. */
export interface PolicyMetrics {
  /** The factory that made it: `circuitBreaker`, `bulkhead`, … */
  readonly policy: string
  readonly name: string
  /** What its `stats()` answers. */
  readonly stats: Readonly<Record<string, unknown>>
}

interface Source {
  readonly name: string
  stats(): object
}

interface Entry {
  readonly policy: string
  readonly source: WeakRef<Source>
}

/** Read and pruned by both copies of the package, so that either sees all policies of the process. */
const known = /* @__PURE__ */ singleton('policies', (): { entries: Entry[]; pruneAt: number } => ({ entries: [], pruneAt: 1_024 }))

/** Held weakly: a policy that nobody uses any more disappears from the metrics, and from memory. */
export function register(policy: string, source: Source): void {
  if (known.entries.length >= known.pruneAt) {
    known.entries = known.entries.filter((entry) => entry.source.deref() !== undefined)
    known.pruneAt = Math.max(1_024, known.entries.length * 2)
  }
  known.entries.push({ policy, source: new WeakRef(source) })
}

/**
 * The numbers of every policy of this process that is still in use: one registry to pull from, for Prometheus, OpenTelemetry or a log line.
 * Costs nothing until it is called. Policies of the same name (one per key, for example) each have an entry.
 *
 * @example
 * ```ts
 * for (const { policy, name, stats } of metrics()) log.info({ policy, name, ...stats }, 'policy')
 * ```
 */
export function metrics(): readonly PolicyMetrics[] {
  const found: PolicyMetrics[] = []
  for (const { policy, source } of known.entries) {
    const owner = source.deref()
    if (owner !== undefined) found.push({ policy, name: owner.name, stats: owner.stats() as PolicyMetrics['stats'] })
  }
  return found
}
