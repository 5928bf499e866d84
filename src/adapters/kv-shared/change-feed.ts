import { type HoldfastError, refusal } from '../../core/errors.ts'
import { joinSignal, leaveSignal } from '../../core/waiting.ts'
import type { KeyChange, KeyEntry } from '../../ports/key-value.ts'
import { OnAbort } from '../storage-shared/on-abort.ts'

/** Changed keys that a reader has not taken yet. Beyond it the feed ends: a reader that far behind is quicker with `list`. */
const UNREAD_MAX = 100_000

export interface FeedSource {
  /** The state of each key now, in that order. */
  read(keys: readonly string[]): Promise<readonly (KeyEntry | undefined)[]>
  /** How many keys to read at once; default 1. */
  readonly batch?: number
  /** It wants no more changes. Once. */
  left(): void
}

const DONE = { done: true, value: undefined } as const

/**
 * What `watch` answers with: the keys that changed, each once however often it changed, and the state each has when it is taken.
 *
 * It holds keys, never states, so that a slow reader costs a key per changed key and gets the newest state; it leaves its source when the
 * signal aborts, the loop is left, it fails, or a reader has fallen 100,000 keys behind (`QUEUE_FULL`).
 */
export class ChangeFeed implements AsyncIterableIterator<KeyChange, undefined> {
  readonly #prefix: string
  readonly #signal: AbortSignal | undefined
  readonly #source: FeedSource
  readonly #aborted = new OnAbort(() => this.#end())
  readonly #changed = new Set<string>()
  #taken: KeyChange[] = []
  #over = false
  #error: HoldfastError | null = null
  /** Told when something has changed, or it is over. */
  #wake: (() => void) | null = null
  /** Told when it is over while states are being read. */
  #ended: (() => void) | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(prefix: string, signal: AbortSignal | undefined, source: FeedSource) {
    this.#prefix = prefix
    this.#signal = signal
    this.#source = source
    if (signal?.aborted === true) this.#over = true
    else if (signal !== undefined) joinSignal(signal, this.#aborted)
  }

  get over(): boolean {
    return this.#over
  }

  changed(key: string): void {
    if (this.#over || !key.startsWith(this.#prefix)) return
    this.#changed.add(key)
    if (this.#changed.size > UNREAD_MAX)
      this.fail(refusal('QUEUE_FULL', `watch ${this.#prefix}: ${UNREAD_MAX} changed keys were not read; list them, and watch again`))
    this.#wake?.()
  }

  fail(error: HoldfastError): void {
    if (this.#over) return
    this.#error = error
    this.#end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One after another, also for a reader that does not wait for its answers. */
  next(): Promise<IteratorResult<KeyChange, undefined>> {
    const answer = this.#turn.then(() => this.#next())
    this.#turn = answer.catch(() => {})
    return answer
  }

  async return(): Promise<IteratorResult<KeyChange, undefined>> {
    this.#error = null
    this.#end()
    return DONE
  }

  async #next(): Promise<IteratorResult<KeyChange, undefined>> {
    while (!this.#over) {
      const change = this.#taken.shift()
      if (change !== undefined) return { done: false, value: change }
      if (this.#changed.size > 0) await this.#take()
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      this.#wake = null
    }
    const error = this.#error
    this.#error = null
    if (error !== null) throw error
    return DONE
  }

  async #take(): Promise<void> {
    const keys: string[] = []
    for (const key of this.#changed) {
      // Before it is read: what changes meanwhile is read once more.
      this.#changed.delete(key)
      if (keys.push(key) >= (this.#source.batch ?? 1)) break
    }
    const ended = new Promise<undefined>((resolve) => {
      this.#ended = () => resolve(undefined)
    })
    const entries = await Promise.race([this.#source.read(keys), ended]).catch((error: HoldfastError): undefined => void this.fail(error))
    if (entries !== undefined)
      this.#taken = keys.map((key, i) => Object.freeze({ key, ...(entries[i] !== undefined && { entry: entries[i] }) }))
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#changed.clear()
    this.#taken = []
    if (this.#signal !== undefined) leaveSignal(this.#signal, this.#aborted)
    this.#source.left()
    this.#ended?.()
    this.#wake?.()
  }
}
