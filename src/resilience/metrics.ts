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

interface Known {
  /** By the factory that made them. */
  readonly sources: Map<string, WeakRef<Source>[]>
  count: number
  pruneAt: number
}

/** Read and pruned by both copies of the package, so that either sees all policies of the process. */
const known = /* @__PURE__ */ singleton('policies', (): Known => ({ sources: new Map(), count: 0, pruneAt: 1_024 }))

/** Held weakly: a policy that nobody uses any more disappears from the metrics, and from memory. */
export function register(policy: string, source: Source): void {
  if (known.count >= known.pruneAt) prune()
  const sources = known.sources.get(policy)
  if (sources === undefined) known.sources.set(policy, [new WeakRef(source)])
  else sources.push(new WeakRef(source))
  known.count += 1
}

function prune(): void {
  known.count = 0
  for (const [policy, sources] of known.sources) {
    const used = sources.filter((source) => source.deref() !== undefined)
    known.sources.set(policy, used)
    known.count += used.length
  }
  known.pruneAt = Math.max(1_024, known.count * 2)
}

/**
 * The numbers of every policy of this process that is still in use: one registry to pull from, for Prometheus, OpenTelemetry or a log line.
 * Costs nothing until it is called. Policies of the same name (one per key, for example) each have an entry; those of a kind come one after the other.
 *
 * @example
 * ```ts
 * for (const { policy, name, stats } of metrics()) log.info({ policy, name, ...stats }, 'policy')
 * ```
 */
export function metrics(): readonly PolicyMetrics[] {
  const found: PolicyMetrics[] = []
  for (const [policy, sources] of known.sources)
    for (const source of sources) {
      const owner = source.deref()
      if (owner !== undefined) found.push({ policy, name: owner.name, stats: owner.stats() as PolicyMetrics['stats'] })
    }
  return found
}
