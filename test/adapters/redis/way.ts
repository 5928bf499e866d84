// A way to the real server that a test can cut or hold up.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Way {
  readonly url: string
  /** Connections that are open now. */
  readonly open: () => number
  /** Ends all connections and takes no more until `heal`. */
  readonly cut: () => Promise<void>
  /** Takes connections and bytes, and passes nothing on until `heal`. */
  readonly stall: () => void
  readonly heal: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function wayToRedis(): Promise<Way> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let stalled = false
  const server = createServer((inner) => {
    const outer = connect(6379, '127.0.0.1')
    const pair = [inner, outer] as const
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      inner.destroy()
      outer.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end).setNoDelay()
    inner.pipe(outer).pipe(inner)
    if (stalled) inner.pause()
  })
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const [inner] of [...pairs]) inner.destroy()
    await closed
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    open: () => pairs.size,
    cut,
    stall: () => {
      stalled = true
      for (const [inner, outer] of pairs) {
        inner.unpipe(outer)
        inner.pause()
      }
    },
    heal: async () => {
      stalled = false
      for (const [inner, outer] of pairs) {
        inner.pipe(outer)
        inner.resume()
      }
      if (!server.listening) await listen(port)
    },
    close: async () => {
      if (server.listening) await cut()
    },
  }
}
