// An HTTP server that behaves as badly as it is told to, and remembers what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A status to answer with, or nothing at all. */
export type Mood = number | 'hangs'

export interface FlakyServer {
  readonly url: string
  readonly requests: IncomingMessage[]
  /** What the next requests meet, one each; then 200. */
  will(...moods: readonly Mood[]): void
  close(): void
}

export async function flakyServer(): Promise<FlakyServer> {
  const requests: IncomingMessage[] = []
  let moods: Mood[] = []
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    requests.push(req)
    const mood = moods.shift() ?? 200
    if (mood !== 'hangs') res.writeHead(mood, { 'content-type': 'application/json' }).end(JSON.stringify({ path: req.url }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    will: (...next) => {
      moods = [...next]
      requests.length = 0
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
