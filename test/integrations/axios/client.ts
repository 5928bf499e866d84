// An adapter with the shapes of axios's (settled by validateStatus) that sends for real: what it proves is proved of axiosAdapter alone.
import { Readable } from 'node:stream'

export interface Config {
  url: string
  method?: string
  headers?: Record<string, string>
  data?: unknown
  signal?: AbortSignal
  responseType?: 'stream'
  validateStatus?: (status: number) => boolean
  [extra: string]: unknown
}
export interface Response {
  status: number
  headers: Record<string, string>
  data: unknown
  config: Config
}
export class ClientError extends Error {
  readonly isAxiosError = true
  constructor(
    message: string,
    readonly code: string,
    readonly config: Config,
    readonly response?: Response,
  ) {
    super(message)
  }
}

/** What each attempt was given. */
export const given: Config[] = []

export async function adapter(config: Config): Promise<Response> {
  given.push(config)
  if (!URL.canParse(config.url)) throw new ClientError('no URL', 'ERR_INVALID_URL', config)
  const { url, method = 'get', headers = {}, data, signal, validateStatus = (status) => status >= 200 && status < 300 } = config
  const streamed = data instanceof Readable
  const init = { method: method.toUpperCase(), headers, ...(signal && { signal }), ...(streamed && { duplex: 'half' }) }
  let answer: globalThis.Response
  try {
    const body = streamed ? Readable.toWeb(data) : (data ?? null)
    answer = await fetch(url, { ...init, body } as RequestInit)
  } catch (error) {
    throw new ClientError('network', 'ECONNRESET', config, (error as { response?: Response }).response)
  }
  const body =
    config.responseType === 'stream' && answer.body !== null
      ? Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0])
      : await answer.text()
  const response = { status: answer.status, headers: Object.fromEntries(answer.headers), data: body, config }
  if (validateStatus(answer.status)) return response
  throw new ClientError(`status ${answer.status}`, answer.status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE', config, response)
}
