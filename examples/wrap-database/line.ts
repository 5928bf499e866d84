// The line to the database, through this process, so that it can be cut without harming a server that others use.

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Line {
  readonly port: number
  /** Ends every connection and accepts none, until `mend`. */
  cut(): Promise<void>
  mend(): Promise<void>
}

export async function lineTo(host: string, port: number): Promise<Line> {
  const sockets = new Set<Socket>()
  const join = (near: Socket): void => {
    const far = connect({ host, port })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.pipe(other)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  }
  const listen = (at: number): Promise<Server> => {
    const server = createServer(join)
    return new Promise((resolve) => server.listen(at, '127.0.0.1', () => resolve(server)))
  }
  let server = await listen(0)
  const own = (server.address() as AddressInfo).port
  return {
    port: own,
    cut: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
    async mend() {
      server = await listen(own)
    },
  }
}

/** Whether somebody accepts connections there. */
export function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 2_000 })
    const end = (open: boolean): void => {
      socket.destroy()
      done(open)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
