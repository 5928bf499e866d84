// A real server on loopback for each test that asks for one; closed after it, whatever happened.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export async function listen(handler: RequestListener): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => close(server))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Answers request number n with `answers[n]` (the last one again and again), and keeps what came. */
export async function script(...answers: Array<(res: ServerResponse, req: IncomingMessage) => void>) {
  const seen: Seen[] = []
  const { url, server } = await listen((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const answer = answers[Math.min(seen.length, answers.length - 1)]
      seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body: Buffer.concat(chunks).toString('latin1') })
      answer?.(res, req)
    })
  })
  return { url, server, seen }
}

export const status =
  (code: number, headers: Record<string, string> = {}, body = `status ${code}`) =>
  (res: ServerResponse): void =>
    void res.writeHead(code, headers).end(body)

/** Something that happens once, from outside. */
export function moment<T = void>(): { readonly at: Promise<T>; readonly come: (value: T) => void } {
  let come: (value: T) => void = () => {}
  const at = new Promise<T>((resolve) => {
    come = resolve
  })
  return { at, come }
}

/** Lets everything that is ready run, timers excluded. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
