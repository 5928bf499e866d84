import type { Clock } from '../../../core/clock.ts'
import { refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { Bounds } from './bounds.ts'
import { logReset } from './decode.ts'
import { isBehind, type ReadHost } from './reads.ts'
import { readToken, type Token } from './token.ts'

const PAUSE_MIN_MS = 2
const PAUSE_MAX_MS = 100

/** Looks until the write that a token names has its place. A joined one that is committed is given it here. */
export async function waitFor(host: ReadHost, clock: Clock, token: string, { timeoutMs, signal }: Bounds): Promise<bigint> {
  host.check('waitFor', signal)
  const wanted = readToken(token)
  const untilMs = clock.nowMs() + timeoutMs
  for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
    host.check('waitFor', signal)
    const seen = host.wakes.count
    const found = await lookUp(host, token, wanted, signal)
    if (typeof found === 'bigint') return found
    if (found === 'pending') {
      await host.place(signal)
      continue
    }
    const leftMs = untilMs - clock.nowMs()
    if (leftMs <= 0) throw refusal('WAIT_TIMEOUT', `waitFor: not committed within ${timeoutMs} ms`, { details: { timeoutMs } })
    await host.wakes.wait(seen, Math.min(leftMs, pauseMs), signal)
  }
}

async function lookUp(
  host: ReadHost,
  token: string,
  wanted: Token,
  signal: AbortSignal | undefined,
): Promise<bigint | 'pending' | 'absent'> {
  if ('position' in wanted) {
    const [head, incarnation] = await host.read(host.statements.head, [], 'waitFor', signal)
    if (incarnation !== wanted.incarnation) throw logReset(`token ${show(token)} is not the log's`)
    if (wanted.position <= BigInt(head ?? 0)) return wanted.position
    if (await isBehind(host, 'waitFor', signal)) return 'absent'
    throw logReset(`token ${show(token)} is past the head of the log`)
  }
  const values = [wanted.streamNo, wanted.version]
  const [head, incarnation, version, position, pending] = await host.read(host.statements.placed, values, 'waitFor', signal)
  if (incarnation !== wanted.incarnation) throw logReset(`token ${show(token)} is not the log's`)
  if (position !== null && position !== undefined) return BigInt(position)
  if (pending === 'true') return 'pending'
  // It was there and is removed: whatever place it had is below the head.
  return version !== null && Number(version) >= Number(wanted.version) ? BigInt(head ?? 0) : 'absent'
}
