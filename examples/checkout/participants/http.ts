import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Answer } from './keyed-effects.ts'

const BODY_MAX_BYTES = 16_384

export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_MAX_BYTES) throw new Error(`the body is longer than ${BODY_MAX_BYTES} bytes`)
  }
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

export function reply(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** Listens on a free port of loopback and tells the parent process which; ends with the parent. */
export function listen(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): void {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => reply(response, { status: 400, body: { reason: String(error) } }))
  })
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ event: 'listening', port: (server.address() as AddressInfo).port }))
  })
  process.stdin.resume().once('end', () => process.exit())
}
