import type { Context } from '../../core/context.ts'

/** What is used of the configuration of a request of axios. */
export interface AxiosConfigSlice {
  readonly url?: string | undefined
  readonly baseURL?: string | undefined
  readonly method?: string | undefined
  readonly headers?: unknown
  readonly data?: unknown
  readonly signal?: unknown
  readonly cancelToken?: unknown
}

export interface AxiosResponseSlice {
  readonly status: number
  readonly headers: unknown
  readonly data: unknown
}

/** What a request may carry besides axios's own configuration. */
export interface ResilientRequestConfig {
  /** The context to call under; without it the ambient one, or a fresh one. */
  readonly context?: Context
  /** For keyed policies; `host` is filled in from the URL. */
  readonly keys?: Readonly<Record<string, string>>
}

/** An adapter of axios: from the configuration of a request to its response. */
export type AxiosAdapterSlice = (config: never) => Promise<AxiosResponseSlice>

/** The same slice as it is called. */
export type Adapter = (config: AxiosConfigSlice) => Promise<AxiosResponseSlice>
