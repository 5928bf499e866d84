import pRetry from 'p-retry'
import type { Timer } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { ChangeFeed } from '../kv-shared/change-feed.ts'
import type { Link } from './link.ts'
import { array, text } from './replies.ts'
import { changesAfter, LOG_US } from './scripts.ts'

/** Keys whose time is over tell nobody; so often they are looked for, and hints that were lost are made up for. */
const POLL_MS = 400
const PAGE = 1_000
/** How far a clock may be off the server's, per unit of time. */
const DRIFT = 0.001

const POLL = { name: 'watch', writes: false } as const
export const RETRY = {
  retries: Number.POSITIVE_INFINITY,
  minTimeout: 100,
  maxTimeout: 2_000,
  randomize: true,
  unref: true,
  /** What somebody has changed, or what this client may not do, is no better later. */
  shouldRetry: ({ error }: { readonly error: unknown }) => !(error instanceof HoldfastError && error.retry === 'never'),
} as const

/** A number that the server had reached, and when that was known. */
interface Reading {
  readonly number: number
  readonly us: number
  readonly atMs: number
}

/**
 * Reads which keys have changed while somebody watches: the server keeps them for a minute by the number of their change, messages only
 * hint at them. So nothing is missed over a lost connection, and nothing is read twice.
 */
export class ChangeLog {
  readonly #link: Link
  /** Where each feed begins. */
  readonly #feeds = new Map<ChangeFeed, number>()
  #reading: Reading = { number: 0, us: 0, atMs: 0 }
  #position = 0
  #listening: AbortController | null = null
  #wake: (() => void) | null = null
  #hinted = false

  constructor(link: Link) {
    this.#link = link
  }

  /** Something the server answered with its time. */
  read(us: number, number: number): void {
    this.#reading = { us, number: Math.max(number, this.#reading.number), atMs: this.#link.clock.nowMs() }
  }

  /** A number that was given out. */
  wrote(number: number): void {
    if (number > this.#reading.number) this.#reading = { ...this.#reading, number }
  }

  join(feed: ChangeFeed, channel: string): void {
    const from = this.#now()
    this.#feeds.set(feed, from)
    this.#position = this.#feeds.size === 1 ? from : Math.min(this.#position, from)
    if (this.#listening !== null) return
    const listening = new AbortController()
    this.#listening = listening
    void this.#hear(channel, listening.signal)
    void this.#poll(listening.signal)
  }

  leave(feed: ChangeFeed): void {
    if (!this.#feeds.delete(feed) || this.#feeds.size > 0) return
    this.#listening?.abort()
    this.#listening = null
    this.#wake?.()
  }

  /** No change from now on has a lower number: the highest one that is known, or the least time that the server's clock can show. */
  #now(): number {
    const { number, us, atMs } = this.#reading
    return Math.max(number, us + Math.floor((this.#link.clock.nowMs() - atMs) * (1 - DRIFT) * 1_000))
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const more = await pRetry(() => this.#page(signal), { ...RETRY, signal })
        if (!more) await this.#hint()
      } catch (error) {
        if (!signal.aborted) this.#fail(error instanceof HoldfastError ? error : lost(error))
      }
    }
  }

  async #page(signal: AbortSignal): Promise<boolean> {
    this.#hinted = false
    const from = this.#position
    const [us, last, more, changes] = array(await this.#link.run(changesAfter, [String(from), String(PAGE)], POLL, signal))
    const latest = Number(text(last))
    const reached = Math.max(Number(text(us)), latest)
    this.read(Number(text(us)), latest)
    if (reached < from) this.#stepBack(reached)
    if (from < reached - LOG_US) {
      this.#position = latest
      this.#fail(lost())
      return false
    }
    const read = array(changes).map(text)
    const to = read.length === PAGE * 2 ? Number(read[read.length - 1]) : Math.max(from, latest)
    // A feed that joined meanwhile may have asked for more.
    if (this.#position === from) this.#position = to
    for (let i = 0; i < read.length; i += 2)
      for (const [feed, begin] of this.#feeds) if (Number(read[i + 1]) > begin) feed.changed(read[i] as string)
    return text(more) === '1'
  }

  /**
   * The server is behind what was read of it: its clock was set back, or it lost its row. What has changed since nobody can tell exactly, so
   * rather a little too much is told.
   */
  #stepBack(reached: number): void {
    this.#position = reached - LOG_US / 2
    for (const feed of this.#feeds.keys()) this.#feeds.set(feed, this.#position)
  }

  /** Waits for a hint, or until it is time to look again. */
  #hint(): Promise<void> {
    if (this.#hinted) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: Timer | null = null
      this.#wake = () => {
        timer?.clear()
        this.#wake = null
        resolve()
      }
      timer = this.#link.clock.setTimer(() => this.#wake?.(), POLL_MS, { background: true })
    })
  }

  /** Listens on a connection of its own for as long as it takes. */
  async #hear(channel: string, signal: AbortSignal): Promise<void> {
    const hint = (): void => {
      this.#hinted = true
      this.#wake?.()
    }
    while (!signal.aborted) {
      const listener = await pRetry(() => this.#connected(channel, hint, signal), { ...RETRY, signal }).catch(() => undefined)
      if (listener === undefined) continue
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      await Promise.race([listener.ended, stopped])
      listener.end()
    }
  }

  async #connected(channel: string, hint: () => void, signal: AbortSignal): Promise<ReturnType<Link['listen']>> {
    signal.throwIfAborted()
    const listener = this.#link.listen(channel, hint)
    signal.addEventListener('abort', listener.end, { once: true })
    try {
      await listener.listening
      // A client that was told to end before it had begun has begun all the same.
      signal.throwIfAborted()
      return listener
    } catch (error) {
      listener.end()
      // p-retry gives up on a TypeError.
      throw new Error('the connection that listens was lost', { cause: error })
    } finally {
      signal.removeEventListener('abort', listener.end)
    }
  }

  #fail(error: HoldfastError): void {
    for (const feed of [...this.#feeds.keys()]) feed.fail(error)
  }
}

const lost = (cause?: unknown): HoldfastError =>
  new HoldfastError(
    'LOG_RESET',
    'watch: changes of more than a minute ago were not read, and may be lost; list the keys, and watch again',
    {
      effect: 'none',
      retry: 'later',
      ...(cause !== undefined && { cause }),
    },
  )
