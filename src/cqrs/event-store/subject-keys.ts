import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'

/** What the data of one person are encrypted with. */
export interface SubjectKey {
  /** Names this key; another one made later for the same subject has another name. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
}

/**
 * Where the keys of subjects are kept, apart from the events. Promises:
 *
 * 1. `load` answers the key of a subject, the same in every process; with `create` it makes one where there is none, and of several who do so at
 *    once all get the same.
 * 2. Once `forget` has resolved the key is gone for good and `load` answers `'forgotten'`, in every process, also where there never was one.
 * 3. What cannot be read, or was changed, is refused with `STORAGE_CORRUPT`; it is never replaced by a new key.
 */
export interface SubjectKeys {
  load(name: string, options: { readonly create: boolean; readonly signal?: AbortSignal }): Promise<SubjectKey | 'forgotten' | undefined>
  forget(name: string, signal?: AbortSignal): Promise<void>
}

/** What the store of keys calls a subject: bounded in length, and of characters that every store takes. 64 hexadecimal digits. */
export const nameOf = (subject: string): string => createHash('sha256').update(`holdfast subject\0${subject}`).digest('hex')

/** The two keys that come from a subject's one: no key serves two algorithms. */
export interface DerivedKey {
  readonly id: string
  readonly seal: KeyObject
  readonly nonce: KeyObject
}

/** Source: RFC 5869. */
const derived = ({ id, key }: SubjectKey): DerivedKey => {
  const of = (use: string): KeyObject => createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `holdfast shredding 1 ${use}`, 32)))
  return { id, seal: of('seal'), nonce: of('nonce') }
}

interface Cached {
  readonly key: DerivedKey | 'forgotten'
  readonly untilMs: number
}

export interface KeyCacheOptions {
  readonly cacheTtlMs: number
  readonly cached: number
  readonly clock: Clock
}

/** The keys of those whose data were used last, each for a time. */
export class KeyCache {
  readonly #keys: SubjectKeys
  readonly #options: KeyCacheOptions
  /** The longest unused first. */
  readonly #cached = new Map<string, Cached>()
  /** What a load that is on its way must not bring back. */
  #forgotten = 0

  constructor(keys: SubjectKeys, options: KeyCacheOptions) {
    this.#keys = keys
    this.#options = options
  }

  async key(name: string, create: boolean, signal: AbortSignal | undefined): Promise<DerivedKey | 'forgotten' | undefined> {
    const cached = this.#cached.get(name)
    this.#cached.delete(name)
    if (cached !== undefined && this.#options.clock.nowMs() < cached.untilMs) {
      this.#cached.set(name, cached)
      return cached.key
    }
    const before = this.#forgotten
    const loaded = await this.#keys.load(name, { create, ...(signal === undefined ? {} : { signal }) })
    if (loaded === undefined) return undefined
    const key = loaded === 'forgotten' ? loaded : derived(loaded)
    if (before === this.#forgotten) this.#keep(name, key)
    return key
  }

  #keep(name: string, key: DerivedKey | 'forgotten'): void {
    const { cached, cacheTtlMs, clock } = this.#options
    if (cached === 0) return
    if (this.#cached.size >= cached) for (const oldest of this.#cached.keys()) if (this.#cached.delete(oldest)) break
    this.#cached.set(name, { key, untilMs: clock.nowMs() + cacheTtlMs })
  }

  async forget(name: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#keys.forget(name, signal)
    this.#forgotten += 1
    this.#cached.delete(name)
  }
}
