import { show } from '../../../core/options.ts'
import type { AppendOptions } from '../../../ports/event-store.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'

export const TIMEOUT_MS = 5_000
const TIMEOUT_MAX_MS = 600_000

export interface Bounds {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

export function checkBounds(call: string, options: AppendOptions = {}): Bounds {
  const { timeoutMs = TIMEOUT_MS, signal } = options
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MAX_MS))
    throw invalidInput(`${call}: timeoutMs`, `a number from 1 to ${TIMEOUT_MAX_MS}`, show(timeoutMs))
  return { timeoutMs, signal }
}
