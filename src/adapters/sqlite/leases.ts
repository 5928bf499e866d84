import type { Clock } from '../../core/clock.ts'
import type { SagaClaim } from '../../ports/saga-journal.ts'
import { asNumber, asText, type Row } from './connection.ts'
import { isDead, thisProcess } from './holder.ts'
import type { Queries } from './queries.ts'

/** When a lease was first seen as it is, by this process's monotonic clock. */
interface Seen {
  readonly epoch: number
  readonly untilMs: number
  readonly sinceMs: number
}

/**
 * Who holds which shard. A lease ends by the host's wall clock; where that steps back, it ends for whoever has seen it unrenewed for its
 * whole length. Neither is safety: only the epoch is, which every write checks.
 */
export class Leases {
  readonly #clock: Clock
  readonly #seen = new Map<number, Seen>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Inside a write transaction. */
  claim(queries: Queries, owner: string, shards: number, leaseMs: number): SagaClaim[] {
    const rows = new Map(queries.leases.all(shards).map((row) => [asNumber(row.shard), row]))
    const dead = new Map<string, boolean>()
    const untilMs = this.#clock.epochMs() + leaseMs
    const claims: SagaClaim[] = []
    for (let shard = 0; shard < shards; shard++) {
      const row = rows.get(shard)
      const epoch = this.#isMine(row, owner)
        ? this.#renew(queries, row as Row, untilMs, leaseMs)
        : this.#isFree(row, dead)
          ? asNumber(queries.take.get(shard, owner, thisProcess(), untilMs, leaseMs)?.epoch)
          : undefined
      if (epoch !== undefined) claims.push({ fence: { shard, epoch }, leaseMs })
    }
    return claims
  }

  /** The owner's name alone would let a process that starts under the name of a paused one write beside it, both with one epoch. */
  #isMine(row: Row | undefined, owner: string): boolean {
    return row !== undefined && row.owner !== null && asText(row.owner) === owner && asText(row.holder) === thisProcess()
  }

  #renew(queries: Queries, row: Row, untilMs: number, leaseMs: number): number {
    queries.renew.run(untilMs, leaseMs, asNumber(row.shard))
    return asNumber(row.epoch)
  }

  #isFree(row: Row | undefined, dead: Map<string, boolean>): boolean {
    if (row === undefined || row.owner === null) return true
    if (this.#clock.epochMs() >= asNumber(row.until_ms) || this.#isUnrenewed(row)) return true
    const holder = asText(row.holder)
    const known = dead.get(holder) ?? isDead(holder)
    dead.set(holder, known)
    return known
  }

  #isUnrenewed(row: Row): boolean {
    const shard = asNumber(row.shard)
    const [epoch, untilMs, nowMs] = [asNumber(row.epoch), asNumber(row.until_ms), this.#clock.nowMs()]
    const seen = this.#seen.get(shard)
    if (seen === undefined || seen.epoch !== epoch || seen.untilMs !== untilMs) {
      this.#seen.set(shard, { epoch, untilMs, sinceMs: nowMs })
      return false
    }
    return nowMs - seen.sinceMs >= asNumber(row.lease_ms)
  }
}
