import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { defaultClock } from '../../core/clock.ts'
import { uuidv7 } from '../../core/ids.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { any, required, text } from '../../core/rules.ts'
import type { KeyEntry, KeyValue } from '../../ports/key-value.ts'
import { corrupt } from './sealed.ts'
import type { SubjectKey, SubjectKeys } from './subject-keys.ts'

const VERSION = 1
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PAGE = 100
const PREFIX_MAX = 200

/** What the keys of subjects are wrapped with: from a key management service or a secret of the deployment, never from the database. */
export interface MasterKey {
  /** Names it in what is stored, 1 to 200 characters. */
  readonly id: string
  /** 32 random bytes. */
  readonly key: Uint8Array
}

export interface KeyValueKeysOptions {
  /** Wraps every new key. */
  readonly masterKey: MasterKey
  /** Those that keys may still be wrapped with, until `rewrap()` has been through; default none. */
  readonly formerKeys?: readonly MasterKey[]
  /** What the names in the store begin with, 1 to 200 characters; default `holdfast/shredding/`. */
  readonly prefix?: string
}

export interface KeyValueKeys extends SubjectKeys {
  /** Wraps every key with `masterKey` that is wrapped with another; resolves to how many. May be stopped and begun again, while others work. */
  rewrap(signal?: AbortSignal): Promise<number>
}

/** What is stored for a subject; all bytes are base64url. */
interface Wrapped {
  readonly v: 1
  readonly key: string
  readonly master: string
  readonly nonce: string
  readonly wrapped: string
}

const isMaster = (value: unknown): boolean => {
  const { id, key } = (typeof value === 'object' && value !== null ? value : {}) as Partial<MasterKey>
  return typeof id === 'string' && id.length >= 1 && id.length <= 200 && key instanceof Uint8Array && key.length === KEY_BYTES
}
const rules = {
  masterKey: required(any<MasterKey | undefined>('an id of 1 to 200 characters and a key of 32 bytes', isMaster, undefined)),
  formerKeys: any<readonly MasterKey[]>('a list of master keys', (value) => Array.isArray(value) && value.every(isMaster), []),
  prefix: text('holdfast/shredding/', PREFIX_MAX),
}

/**
 * Keeps one random key per subject in a `KeyValue`, each wrapped with a master key that is not in there.
 *
 * Whoever has the store alone, or the master key alone, has no subject's key. `forget` writes over the key; copies of the store that were made
 * before (backups, replicas, what the engine has not overwritten yet) hold it, wrapped, for as long as they are kept: keep them no longer than you
 * may take to forget, and apart from those of the events. A subject stays forgotten: the mark is never removed.
 *
 * To change the master key: give the new one as `masterKey` and the old one among `formerKeys`, everywhere; call `rewrap()`; then drop the old one.
 *
 * Stored, per subject: under `prefix` and the subject's name (64 hexadecimal digits of a SHA-256) a JSON text, version 1: `{ v: 1, key, master, nonce,
 * wrapped }`, that is the key's id, the master key's id, 12 bytes and 32 + 16 bytes of base64url (AES-256-GCM, bound to name and ids); once forgotten
 * `{ v: 1, forgottenEpochMs }`.
 *
 * @param options
 * - `masterKey`: `{ id, key }`, 32 random bytes.
 * - `formerKeys`: those before it; default none.
 * - `prefix`: default `holdfast/shredding/`.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unfit option. `STORAGE_CORRUPT` (effect none) from `load` and `rewrap` for what was
 * changed, or wrapped with a key that is not given; whatever the `KeyValue` answers.
 * @example
 * ```ts
 * const keys = keyValueKeys(storage.keyValue, { masterKey: { id: '2026', key: await secrets.bytes('shredding-2026') } })
 * ```
 *
 * Source: NIST SP 800-38D (GCM); key wrapping as in NIST SP 800-57 part 1.
 */
export function keyValueKeys(keyValue: KeyValue, options: KeyValueKeysOptions): KeyValueKeys {
  const { masterKey, formerKeys, prefix } = checkOptions('keyValueKeys', options, rules)
  const masters = new Map<string, KeyObject>()
  for (const { id, key } of [masterKey as MasterKey, ...formerKeys]) {
    if (masters.has(id)) throw invalidOption('keyValueKeys', 'formerKeys', 'each of another id', id)
    // A copy: what the caller does with the bytes afterwards changes nothing, and a KeyObject prints none of them.
    masters.set(id, createSecretKey(key))
  }
  return new Keys(keyValue, prefix, (masterKey as MasterKey).id, masters)
}

class Keys implements KeyValueKeys {
  readonly #keyValue: KeyValue
  readonly #prefix: string
  readonly #current: string
  readonly #masters: ReadonlyMap<string, KeyObject>

  constructor(keyValue: KeyValue, prefix: string, current: string, masters: ReadonlyMap<string, KeyObject>) {
    this.#keyValue = keyValue
    this.#prefix = prefix
    this.#current = current
    this.#masters = masters
  }

  async load(name: string, { create, signal }: { readonly create: boolean; readonly signal?: AbortSignal }) {
    const at = this.#prefix + name
    const entry = await this.#keyValue.get(at, signal)
    if (entry !== undefined) return this.#unwrapped(entry)
    if (!create) return undefined
    const made: SubjectKey = { id: uuidv7(), key: randomBytes(KEY_BYTES) }
    const verdict = await this.#keyValue.put(at, this.#wrapped(at, made), { expect: 'none', ...(signal === undefined ? {} : { signal }) })
    if (verdict.ok) return made
    if (verdict.entry !== undefined) return this.#unwrapped(verdict.entry)
    throw corrupt(`the key of a subject was removed while it was read (${at})`, { key: at })
  }

  async forget(name: string, signal?: AbortSignal): Promise<void> {
    const at = this.#prefix + name
    const entry = await this.#keyValue.get(at, signal)
    if (entry !== undefined && isForgotten(entry)) return
    const mark = JSON.stringify({ v: VERSION, forgottenEpochMs: Math.floor(defaultClock.epochMs()) })
    await this.#keyValue.put(at, mark, signal === undefined ? {} : { signal })
  }

  async rewrap(signal?: AbortSignal): Promise<number> {
    let count = 0
    let afterKey: string | undefined
    for (;;) {
      const page = await this.#keyValue.list({
        prefix: this.#prefix,
        limit: PAGE,
        ...(afterKey === undefined ? {} : { afterKey }),
        ...(signal === undefined ? {} : { signal }),
      })
      for (const entry of page) if (await this.#rewrapped(entry, signal)) count += 1
      afterKey = page.at(-1)?.key
      if (page.length < PAGE) return count
    }
  }

  async #rewrapped(entry: KeyEntry, signal: AbortSignal | undefined): Promise<boolean> {
    const stored = parsed(entry)
    if (stored === 'forgotten' || stored.master === this.#current) return false
    const key = this.#unwrapped(entry)
    if (key === 'forgotten') return false
    const expect = entry.revision
    // Written in between: forgotten, or wrapped anew by another.
    return (await this.#keyValue.put(entry.key, this.#wrapped(entry.key, key), { expect, ...(signal === undefined ? {} : { signal }) })).ok
  }

  #wrapped(at: string, { id, key }: SubjectKey): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#master(this.#current, at), nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(bound(at, id, this.#current))
    const wrapped = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()])
    const stored: Wrapped = {
      v: VERSION,
      key: id,
      master: this.#current,
      nonce: nonce.toString('base64url'),
      wrapped: wrapped.toString('base64url'),
    }
    return JSON.stringify(stored)
  }

  #unwrapped(entry: KeyEntry): SubjectKey | 'forgotten' {
    const stored = parsed(entry)
    if (stored === 'forgotten') return stored
    const master = this.#master(stored.master, entry.key)
    try {
      const bytes = Buffer.from(stored.wrapped, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', master, Buffer.from(stored.nonce, 'base64url'), { authTagLength: TAG_BYTES })
      decipher.setAAD(bound(entry.key, stored.key, stored.master))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      const key = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()])
      if (key.length !== KEY_BYTES) throw new Error(`it has ${key.length} bytes`)
      return { id: stored.key, key }
    } catch (cause) {
      const what = `the key of a subject does not open with master key ${JSON.stringify(stored.master)}: it was changed, or that is another key`
      throw corrupt(`${what} (${entry.key})`, { key: entry.key, master: stored.master }, cause)
    }
  }

  #master(id: string, at: string): KeyObject {
    const master = this.#masters.get(id)
    if (master !== undefined) return master
    throw corrupt(`the key of a subject is wrapped with master key ${JSON.stringify(id.slice(0, 200))}, which is not given (${at})`, {
      key: at,
      master: id,
    })
  }
}

const bound = (at: string, key: string, master: string): Buffer =>
  Buffer.from(JSON.stringify(['holdfast subject key', VERSION, at, key, master]))

function parsed({ key: at, value }: KeyEntry): Wrapped | 'forgotten' {
  try {
    const stored = JSON.parse(value) as Partial<Record<keyof Wrapped | 'forgottenEpochMs', unknown>>
    const { v, key, master, nonce, wrapped, forgottenEpochMs } = stored
    if (v === VERSION && typeof forgottenEpochMs === 'number') return 'forgotten'
    if (v === VERSION && typeof key === 'string' && typeof master === 'string' && typeof nonce === 'string' && typeof wrapped === 'string')
      return { v, key, master, nonce, wrapped }
  } catch (cause) {
    throw corrupt(`the key of a subject is no JSON (${at})`, { key: at }, cause)
  }
  throw corrupt(`the key of a subject is stored in a form that is not known here (${at})`, { key: at })
}

/** What cannot be read is not, and is written over. */
function isForgotten(entry: KeyEntry): boolean {
  try {
    return parsed(entry) === 'forgotten'
  } catch {
    return false
  }
}
