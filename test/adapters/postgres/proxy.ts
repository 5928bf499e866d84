// A way to the server that can break at a moment of the test's choosing.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { socketIn } from './own-process.ts'
import { HOST, PORT } from './support.ts'

export interface Target {
  /** A folder: of a Unix socket. */
  readonly host: string
  readonly port: number
}

export interface Proxy {
  readonly port: number
  /** The next answer of the server is dropped, and its connection with it: the server has done what it was told. Resolves when it was. */
  readonly loseAnswer: () => Promise<void>
  /** Every connection is dropped, and none is let through until `mend`. */
  readonly cut: () => void
  readonly mend: () => void
  /** Leads to another server from now on; who is connected stays where he is. */
  readonly pointTo: (target: Target) => void
  readonly close: () => Promise<void>
}

export async function proxyToServer(first: Target = { host: HOST, port: PORT }): Promise<Proxy> {
  let target = first
  const pairs = new Set<readonly [Socket, Socket]>()
  let isCut = false
  let lost: (() => void) | undefined
  const server: Server = createServer((client) => {
    if (isCut) {
      client.destroy()
      return
    }
    const { host, port } = target
    const upstream = host.startsWith('/') ? connect(socketIn(host, port)) : connect(port, host)
    const pair = [client, upstream] as const
    pairs.add(pair)
    const drop = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) {
      socket.on('error', drop)
      socket.on('close', drop)
    }
    client.pipe(upstream)
    upstream.on('data', (data) => {
      if (lost === undefined) {
        client.write(data)
        return
      }
      lost()
      lost = undefined
      drop()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve))
  const address = server.address()
  const dropAll = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    loseAnswer: () =>
      new Promise<void>((resolve) => {
        lost = resolve
      }),
    cut: () => {
      isCut = true
      dropAll()
    },
    mend: () => {
      isCut = false
    },
    pointTo: (next) => {
      target = next
    },
    close: async () => {
      dropAll()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
