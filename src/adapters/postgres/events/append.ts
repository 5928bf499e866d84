import type { Clock } from '../../../core/clock.ts'
import type { HoldfastError } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { AppendOptions, AppendRequest, AppendVerdict } from '../../../ports/event-store.ts'
import { type CheckedRequest, checkRequest, isUnfit } from '../../event-shared/checked.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'
import { type Bounds, checkBounds } from './bounds.ts'
import type { Committer } from './committer.ts'
import { none } from './decode.ts'
import type { Pending } from './pending.ts'

/** How long after its deadline a request that is on its way may still be answered. */
const GRACE_MS = 1_000

export interface AppendHost {
  readonly committer: Committer
  readonly clock: Clock
  check(call: string, signal: AbortSignal | undefined): void
}

/** Checks requests and sees them into the queue, all in the step in which they were asked for. */
export async function appendAll(
  host: AppendHost,
  requests: readonly AppendRequest[],
  options: AppendOptions | undefined,
): Promise<readonly AppendVerdict[]> {
  const bounds = checkBounds('append', options)
  if (!Array.isArray(requests)) throw invalidInput('append: requests', 'a list', show(requests))
  try {
    host.check('append', bounds.signal)
  } catch (error) {
    return requests.map(() => none(error as HoldfastError))
  }
  if (requests.length === 0) return []
  const checked = requests.map(checkRequest)
  return await new Promise((resolve) => new Asked(host, checked, bounds, resolve))
}

/** The requests of one call, until the last is answered. */
class Asked {
  readonly #host: AppendHost
  readonly #bounds: Bounds
  readonly #verdicts: AppendVerdict[]
  readonly #entered: Pending[] = []
  readonly #done: (verdicts: readonly AppendVerdict[]) => void
  #open: number
  #timer: { clear(): void } | undefined
  #late = false
  readonly #onAbort = (): void => {
    for (const pending of this.#entered) this.#host.committer.abort(pending, this.#bounds.signal as AbortSignal)
  }

  constructor(
    host: AppendHost,
    checked: readonly ReturnType<typeof checkRequest>[],
    bounds: Bounds,
    done: (verdicts: readonly AppendVerdict[]) => void,
  ) {
    this.#host = host
    this.#bounds = bounds
    this.#done = done
    this.#open = checked.length
    this.#verdicts = new Array<AppendVerdict>(checked.length)
    this.#timer = host.clock.setTimer(() => this.#expire(), bounds.timeoutMs)
    bounds.signal?.addEventListener('abort', this.#onAbort, { once: true })
    for (const [i, request] of checked.entries()) {
      if (isUnfit(request)) this.#answered(i, request)
      else this.#enter(i, request)
    }
  }

  #enter(i: number, request: CheckedRequest): void {
    const pending = this.#host.committer.enter(request, this.#bounds.timeoutMs, (verdict) => this.#answered(i, verdict))
    if (pending !== undefined) this.#entered.push(pending)
  }

  #answered(i: number, verdict: AppendVerdict): void {
    this.#verdicts[i] = verdict
    this.#open -= 1
    if (this.#open > 0) return
    this.#timer?.clear()
    this.#bounds.signal?.removeEventListener('abort', this.#onAbort)
    this.#done(this.#verdicts)
  }

  #expire(): void {
    const { committer, clock } = this.#host
    let onTheirWay = 0
    for (const pending of this.#entered) {
      if (this.#late) committer.giveUp(pending)
      else if (!committer.expire(pending, this.#bounds.timeoutMs)) onTheirWay += 1
    }
    if (onTheirWay === 0) return
    this.#late = true
    this.#timer = clock.setTimer(() => this.#expire(), GRACE_MS)
  }
}
