import type { Clock, Timer } from '../core/clock.ts'

/** What can be closed: a `node:http` server, or anything whose `close` takes a callback or returns a promise. */
export interface ClosableServer {
  close(done: (error?: Error) => void): unknown
  /** Closes connections that carry no request now; without it a keep-alive connection would hold the server open. */
  closeIdleConnections?(): void
  closeAllConnections?(): void
}

/** How often connections are looked at that may have become idle. */
const LOOK_EVERY_MS = 50

/**
 * Closes servers: no new connections, requests in flight are finished, until `untilMs` at the latest; then connections are cut.
 * Resolves to the number of servers that had to be cut; never rejects.
 */
export async function closeServers(servers: readonly ClosableServer[], untilMs: number, clock: Clock): Promise<number> {
  const closed = await Promise.all(servers.map((server) => closeServer(server, untilMs, clock)))
  return closed.filter((inTime) => !inTime).length
}

function closeServer(server: ClosableServer, untilMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: Timer | undefined
    let ended = false
    const end = (inTime: boolean): void => {
      ended = true
      timer?.clear()
      resolve(inTime)
    }
    const look = (): void => {
      if (ended) return
      server.closeIdleConnections?.()
      const leftMs = untilMs - clock.nowMs()
      if (leftMs > 0) {
        timer = clock.setTimer(look, Math.min(leftMs, LOOK_EVERY_MS))
        return
      }
      server.closeAllConnections?.()
      end(false)
    }
    // Also when it fails: a server that was not running is closed.
    const done = (): void => end(true)
    try {
      const closing = server.close(done)
      if (isThenable(closing)) closing.then(done, done)
      look()
    } catch {
      done()
    }
  })
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
