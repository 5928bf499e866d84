import pRetry, { AbortError } from 'p-retry'
import { connectError } from '../errors.ts'
import type { PgSession } from '../session.ts'
import { type Ears, Topics } from './ears.ts'
import { channelOf, hashOf } from './hash.ts'
import { type Ear, type Listen, openEar } from './listen-client.ts'
import type { Listening } from './listening.ts'

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 10_000

/** LISTEN on a connection of its own, which is made again when it is lost. Then every listener is woken: what came meanwhile is not known. */
export class Pushing implements Ears {
  readonly delivery = 'pushed'
  readonly reason = 'LISTEN on a connection of its own (option listen)'
  readonly #listen: Listen
  readonly #channel: string
  readonly #topics = new Topics()
  #ear: Ear | undefined
  #stopped = new AbortController()
  #finding: Promise<void> | undefined

  constructor(session: PgSession, listen: Listen) {
    this.#listen = listen
    this.#channel = channelOf(session.names.place)
  }

  async open(): Promise<void> {
    if (this.#ear !== undefined) return
    this.#stopped = new AbortController()
    try {
      await this.#begin()
    } catch (error) {
      throw connectError(error)
    }
  }

  async add(listener: Listening): Promise<void> {
    this.#topics.add(hashOf(listener.topic), listener)
  }

  remove(listener: Listening): void {
    this.#topics.remove(hashOf(listener.topic), listener)
  }

  waits(): void {}
  rests(): void {}

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#finding
    const ear = this.#ear
    this.#ear = undefined
    await ear?.close().catch(() => {})
  }

  async #begin(): Promise<void> {
    const { signal } = this.#stopped
    const ear = await openEar(this.#listen, this.#channel, {
      heard: (hash) => this.#topics.hint(hash),
      listens: () => this.#topics.hintAll(),
      lost: () => this.#find(),
    })
    if (signal.aborted) await ear.close()
    else this.#ear = ear
  }

  #find(): void {
    const { signal } = this.#stopped
    this.#ear = undefined
    if (signal.aborted) return
    const attempt = async (): Promise<void> => {
      if (signal.aborted) throw new AbortError('closed')
      // As an error of ours: p-retry takes a TypeError, which a driver may throw, for a mistake that stays.
      await this.#begin().catch((error: unknown) => {
        throw connectError(error)
      })
    }
    const options = {
      retries: Number.POSITIVE_INFINITY,
      factor: 2,
      minTimeout: RETRY_FIRST_MS,
      maxTimeout: RETRY_MAX_MS,
      randomize: true,
      unref: true,
      signal,
    }
    this.#finding = pRetry(attempt, options).catch(() => {
      // Only its closing ends it.
    })
  }
}
