import { constants } from 'node:os'
import { invalidOption } from '../core/options.ts'

/** What no process can listen to. */
const DEAF = new Set(['SIGKILL', 'SIGSTOP'])

/**
 * Calls `stop` at the first of the signals, and from then on leaves all of them to the platform: a second one ends the process as if
 * nobody had ever listened. Returns what takes the listeners away.
 */
export function listenOnce(signals: readonly string[], stop: (signal: string) => void): () => void {
  const off = (): void => {
    for (const signal of signals) process.off(signal, first)
  }
  const first = (signal: string): void => {
    off()
    stop(signal)
  }
  for (const signal of new Set(signals)) process.on(signal, first)
  return off
}

export function checkSignals(owner: string, signals: unknown): readonly string[] {
  const known = (signal: unknown): boolean => typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !DEAF.has(signal)
  if (Array.isArray(signals) && signals.length > 0 && signals.every(known)) return signals
  const wrong: unknown = Array.isArray(signals) ? (signals.find((signal) => !known(signal)) ?? signals) : signals
  throw invalidOption(owner, 'signals', "a list of signals that can be listened to, such as ['SIGTERM', 'SIGINT']", wrong)
}
