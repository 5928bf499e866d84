/** What is used of a request: Express's, Connect's or Node's own. */
export interface RequestSlice {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What is used of a response. */
export interface ResponseSlice {
  statusCode: number
  readonly headersSent: boolean
  readonly writableFinished: boolean
  setHeader(name: string, value: string): unknown
  end(body?: string): unknown
  once(event: 'close', listener: () => void): unknown
}

export type Next = (error?: unknown) => void

export function answerJson(res: ResponseSlice, status: number, type: string, body: object): void {
  res.statusCode = status
  res.setHeader('content-type', type)
  res.setHeader('cache-control', 'no-store')
  res.end(JSON.stringify(body))
}
