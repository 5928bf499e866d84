// Follows the log from a checkpoint, as a projection does: under a lease that others are after, and that ends while the process is stopped.
import type { Checkpoints } from '../../src/ports/checkpoints.ts'
import type { LeaseGrant } from '../../src/ports/lease.ts'
import type { Order } from './order.ts'
import type { Recorder } from './recorder.ts'
import type { Opened } from './target.ts'

const TTL_MS = 250
const NAME = 'the keeper'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function keep({ name }: Order, { store, lease, checkpoints }: Opened, recorder: Recorder, signal: AbortSignal): Promise<void> {
  for (let round = 1; !signal.aborted; round++) {
    const grant = await lease.acquire(NAME, name, { ttlMs: TTL_MS }).catch(() => undefined)
    if (grant !== undefined) await step(name, grant, round % 6 === 0, { store, checkpoints, signal }, recorder).catch(() => {})
    await pause(20)
  }
}

/** Some steps under one grant, without asking whether it still holds: the token has to see to that. */
async function step(
  keeper: string,
  { token }: LeaseGrant,
  isLate: boolean,
  { store, checkpoints, signal }: { store: Opened['store']; checkpoints: Checkpoints; signal: AbortSignal },
  recorder: Recorder,
): Promise<void> {
  // So long that the lease has run out, and another has moved the checkpoint, before anything was done under it.
  if (isLate) await pause(TTL_MS * 2)
  const stored = await checkpoints.load(NAME)
  let from = stored?.position ?? 0n
  for await (const { scannedTo, incarnation } of store.readAll({ after: from, batch: 50 })) {
    if (scannedTo === from) continue
    await pause(15)
    const verdict = await checkpoints.save({ name: NAME, from, to: scannedTo, incarnation, token })
    recorder.line({ k: 'kept', v: { keeper, token, from: Number(from), to: Number(scannedTo), isSaved: verdict.ok } })
    await recorder.flushed()
    if (!verdict.ok || signal.aborted) return
    from = scannedTo
  }
}
