import { isPgPool, isPostgresJs } from '../client/detect.ts'
import type { PgPool } from '../client/pg-client.ts'
import type { PostgresJs } from '../client/postgres-js-raw.ts'

/** What is used of a `Client` of `pg` that is made for listening. */
export interface ListenClient {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  end(): Promise<unknown>
  on(event: string, listener: (value: never) => void): unknown
}

/**
 * Makes a `Client` that is not connected yet, one for each connection that is needed: `() => new Client(…)`. Or an `sql` of postgres.js, or a
 * `Pool` of pg that can spare one.
 */
export type Listen = (() => ListenClient | Promise<ListenClient>) | PostgresJs | PgPool

/** One connection that listens. */
export interface Ear {
  close(): Promise<void>
}

export interface EarEvents {
  readonly heard: (payload: string) => void
  /** It listens; what was notified while it did not is lost. */
  readonly listens: () => void
  /** It is lost, once; postgres.js finds another by itself. */
  readonly lost: (error: unknown) => void
}

type JsListen = (channel: string, heard: (payload: string) => void, listens: () => void) => Promise<{ unlisten(): Promise<unknown> }>

export async function openEar(listen: Listen, channel: string, { heard, listens, lost }: EarEvents): Promise<Ear> {
  if (isPostgresJs(listen)) {
    const { unlisten } = await (listen.listen as unknown as JsListen)(channel, heard, listens)
    return { close: async () => void (await unlisten()) }
  }
  const client = isPgPool(listen) ? await spared(listen) : await listen()
  let over = false
  const end = (error: unknown): void => {
    if (over) return
    over = true
    lost(error)
  }
  client.on('error', (error: never) => end(error))
  client.on('end', () => end(new Error('the connection was ended')))
  client.on('notification', ({ payload }: { readonly payload?: string }) => heard(payload ?? ''))
  try {
    await client.connect()
    await client.query(`listen ${channel}`)
  } catch (error) {
    over = true
    await client.end().catch(() => {})
    throw error
  }
  listens()
  return {
    close: async () => {
      over = true
      await client.end().catch(() => {})
    },
  }
}

/** A connection of a pool, which is closed in the end, since it listens. */
async function spared(pool: PgPool): Promise<ListenClient> {
  const client = (await pool.connect()) as Omit<ListenClient, 'end'> & { release(destroy: boolean): void }
  return {
    connect: async () => {},
    query: (text) => client.query(text),
    end: async () => client.release(true),
    on: (event, listener) => client.on(event, listener),
  }
}
