/** The slice of undici's `Dispatcher` that the interceptor uses; undici 7 and newer have this shape. */
export interface UndiciController {
  readonly aborted: boolean
  readonly paused: boolean
  readonly reason: Error | null
  rawHeaders?: unknown
  rawTrailers?: unknown
  abort(reason: Error): void
  pause(): void
  resume(): void
}

export type UndiciHeaders = Record<string, string | string[] | undefined>

export interface UndiciHandler {
  onRequestStart?(controller: UndiciController, context: unknown): void
  onRequestUpgrade?(controller: UndiciController, status: number, headers: UndiciHeaders, socket: never): void
  onResponseStart?(controller: UndiciController, status: number, headers: UndiciHeaders, statusMessage?: string): void
  onResponseData?(controller: UndiciController, chunk: never): void
  onResponseEnd?(controller: UndiciController, trailers: UndiciHeaders): void
  onResponseError?(controller: UndiciController, error: Error): void
}

export interface UndiciRequest {
  readonly origin?: string | URL
  readonly path: string
  readonly method: string
  readonly headers?: unknown
  readonly body?: unknown
  readonly upgrade?: unknown
}

export type UndiciDispatch = (request: UndiciRequest, handler: UndiciHandler) => boolean

/** Takes undici's own `dispatch`, which knows more of a request, and gives one of the same type. */
export type UndiciInterceptor = <D extends (request: never, handler: never) => boolean>(dispatch: D) => D
