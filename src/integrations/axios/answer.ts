import type { Exchange } from '../http-shared/attempts.ts'
import { type Call, headerOf } from './request.ts'
import type { Adapter, AxiosResponseSlice } from './slice.ts'

/** A response, and how the caller gets it: as the result, or as the error that `validateStatus` made of it. */
export interface Answer {
  readonly response: AxiosResponseSlice
  readonly rejection: unknown
}

/** What axios and Node refuse before anything is sent: there is no request yet. */
const REFUSED = /^ERR_(?:BAD_OPTION|BAD_OPTION_VALUE|BAD_REQUEST|NOT_SUPPORT|(?:INVALID|UNESCAPED)_.+)$/

function refused(error: unknown): boolean {
  const { code, request } = (error ?? {}) as { readonly code?: unknown; readonly request?: unknown }
  return REFUSED.test(String(code)) && request === undefined
}

export const exchange = (call: Call, adapter: Adapter): Exchange<Answer> => ({
  async send(headers, ctx) {
    try {
      return { response: await adapter(call.with(headers, ctx.signal)), rejection: undefined }
    } catch (error) {
      const response = responseOf(error)
      if (response === undefined) throw error
      return { response, rejection: error }
    }
  },
  statusOf: ({ response }) => response.status,
  retryAfterOf: ({ response }) => headerOf(response.headers, 'retry-after') ?? null,
  keep(answer, ctx) {
    const body = ended(answer.response.data)
    if (body !== undefined) ctx.hold(body)
    return answer
  },
  discard({ response: { data } }) {
    const { destroy, cancel } = (data ?? {}) as { destroy?: unknown; cancel?: unknown }
    if (typeof destroy === 'function') destroy.call(data)
    else if (typeof cancel === 'function') void Promise.resolve(cancel.call(data)).catch(() => {})
  },
  refused,
})

function responseOf(error: unknown): AxiosResponseSlice | undefined {
  const response = (error as { readonly response?: Partial<AxiosResponseSlice> } | null)?.response
  return typeof response?.status === 'number' ? (response as AxiosResponseSlice) : undefined
}

/** When the body has ended, however it did. Only a stream of Node's (`responseType: 'stream'`) is still under way when axios answers. */
export function ended(data: unknown): Promise<void> | undefined {
  const { once, destroyed } = (data ?? {}) as { once?: unknown; destroyed?: unknown }
  if (typeof once !== 'function' || destroyed === true) return undefined
  return new Promise((resolve) => {
    once.call(data, 'end', resolve)
    once.call(data, 'close', resolve)
  })
}
