import type { Context } from '../../core/context.ts'
import type { Exchange } from '../http-shared/attempts.ts'
import { type Call, headerOf } from './request.ts'
import type { Adapter, AxiosResponseSlice } from './slice.ts'

/** A response, and how the caller gets it: as the result, or as the error that `validateStatus` made of it. */
export interface Answer {
  readonly response: AxiosResponseSlice
  readonly rejection: unknown
}

/** What axios refuses before anything is sent. */
const REFUSED = new Set(['ERR_BAD_OPTION', 'ERR_BAD_OPTION_VALUE', 'ERR_INVALID_URL', 'ERR_NOT_SUPPORT'])

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
    hold(answer.response.data, ctx)
    return answer
  },
  discard({ response: { data } }) {
    const { destroy, cancel } = (data ?? {}) as { destroy?: unknown; cancel?: unknown }
    if (typeof destroy === 'function') destroy.call(data)
    else if (typeof cancel === 'function') void Promise.resolve(cancel.call(data)).catch(() => {})
  },
  refused: (error) => REFUSED.has(String((error as { readonly code?: unknown } | null)?.code)),
})

function responseOf(error: unknown): AxiosResponseSlice | undefined {
  const response = (error as { readonly response?: Partial<AxiosResponseSlice> } | null)?.response
  return typeof response?.status === 'number' ? (response as AxiosResponseSlice) : undefined
}

/** Only a stream of Node's (`responseType: 'stream'`) is still under way when axios answers. */
function hold(data: unknown, ctx: Context): void {
  const { once, destroyed } = (data ?? {}) as { once?: unknown; destroyed?: unknown }
  if (typeof once !== 'function' || destroyed === true) return
  ctx.hold(
    new Promise<void>((resolve) => {
      once.call(data, 'end', resolve)
      once.call(data, 'close', resolve)
    }),
  )
}
