import { type IoredisClient, isNodeRedis, type NodeRedisClient, type RedisClient } from './slice.ts'

/** What both packages can do, in one shape. */
export interface Wire {
  /** False: it was closed by its owner, and takes no command. */
  readonly usable: boolean
  evalSha(sha: string, key: string, args: readonly string[]): Promise<unknown>
  evalText(script: string, key: string, args: readonly string[]): Promise<unknown>
  /** A connection of its own that listens; `hint` is called when it does, and with each message. */
  listen(channel: string, hint: () => void): Listener
}

export interface Listener {
  readonly listening: Promise<void>
  /** Resolves when it will hear nothing any more. */
  readonly ended: Promise<void>
  end(): void
}

export const wireOf = (client: RedisClient): Wire => (isNodeRedis(client) ? nodeRedisWire(client) : ioredisWire(client))

const ioredisWire = (client: IoredisClient): Wire => ({
  get usable() {
    return client.status !== 'end'
  },
  evalSha: (sha, key, args) => client.evalsha(sha, 1, key, ...args),
  evalText: (script, key, args) => client.eval(script, 1, key, ...args),
  listen(channel, hint) {
    const own = client.duplicate()
    const ended = new Promise<void>((resolve) => own.on('end', resolve))
    // It connects again by itself, and says so by `end` where it has given up.
    own.on('error', () => {})
    own.on('message', hint)
    own.on('ready', hint)
    return { ended, listening: own.subscribe(channel).then(hint), end: () => own.disconnect() }
  },
})

const nodeRedisWire = (client: NodeRedisClient): Wire => ({
  get usable() {
    return client.isOpen
  },
  evalSha: (sha, key, args) => client.evalSha(sha, { keys: [key], arguments: [...args] }),
  evalText: (script, key, args) => client.eval(script, { keys: [key], arguments: [...args] }),
  listen(channel, hint) {
    const own = client.duplicate()
    const ended = new Promise<void>((resolve) => {
      own.on('end', resolve)
      own.on('error', () => {
        if (!own.isOpen) resolve()
      })
    })
    own.on('ready', hint)
    const listen = async (): Promise<void> => {
      await own.connect()
      await own.subscribe(channel, hint)
      hint()
    }
    return {
      ended,
      listening: listen(),
      end: () => {
        try {
          // Also where it says that it is closed: told so while it connected, it keeps the socket that came afterwards.
          own.destroy()
        } catch {
          // It was closed before.
        }
      },
    }
  },
})
