import type { AxiosConfigSlice } from './slice.ts'

type Listener = () => void

/** What is used of axios's `CancelToken`. */
interface CancelTokenSlice {
  subscribe(listener: Listener): void
  unsubscribe(listener: Listener): void
}

/** What is used of a signal that is not this process's own class. */
interface SignalSlice {
  readonly aborted?: unknown
  addEventListener(type: 'abort', listener: Listener): void
  removeEventListener(type: 'abort', listener: Listener): void
}

/** What ends a request from outside, as one signal, and how to stop listening to what it was made of. */
export interface CallersEnd {
  readonly signal: AbortSignal | undefined
  leave(): void
}

/** axios knows two ways to give up: `signal`, which may be a look-alike of another realm, and the older `cancelToken`. */
export function callersEnd({ signal, cancelToken }: AxiosConfigSlice): CallersEnd {
  const token = isToken(cancelToken) ? cancelToken : undefined
  if (token === undefined && (signal instanceof AbortSignal || !isSignal(signal)))
    return { signal: signal instanceof AbortSignal ? signal : undefined, leave() {} }
  const both = new AbortController()
  const abort: Listener = () => both.abort()
  const other = isSignal(signal) ? signal : undefined
  token?.subscribe(abort)
  if (other?.aborted === true) abort()
  other?.addEventListener('abort', abort)
  return {
    signal: both.signal,
    leave() {
      token?.unsubscribe(abort)
      other?.removeEventListener('abort', abort)
    },
  }
}

const has = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const isToken = (value: unknown): value is CancelTokenSlice => has(value, 'subscribe', 'unsubscribe')

const isSignal = (value: unknown): value is SignalSlice => has(value, 'addEventListener', 'removeEventListener')
