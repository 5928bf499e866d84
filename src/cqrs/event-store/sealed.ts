import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { HoldfastError } from '../../core/errors.ts'
import type { DerivedKey } from './subject-keys.ts'

export const MARK = '$shredded'
const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const BASE64URL = /^[A-Za-z0-9_-]*$/

/** What stands in the place of an event's data. */
export interface Sealed {
  readonly v: 1
  /** The name of the subject: 64 hexadecimal digits. */
  readonly subject: string
  /** The id of the key. */
  readonly key: string
  /** 12 bytes, base64url. */
  readonly nonce: string
  /** Ciphertext and 16 bytes of tag, base64url. */
  readonly sealed: string
}

/** Where sealed data belong; anywhere else they do not open. */
export interface Place {
  readonly tenant: string
  readonly stream: string
  readonly type: string
}

const bound = ({ tenant, stream, type }: Place, subject: string, key: string): Buffer =>
  Buffer.from(JSON.stringify(['holdfast shredding', VERSION, tenant, stream, type, subject, key]))

/**
 * Encrypts JSON text. `repeat` names what has to come out the same each time it is sealed: then the nonce is made from it and all that is sealed, so
 * that it repeats only where everything does.
 *
 * Source: NIST SP 800-38D (GCM, a nonce of 96 bits); the synthetic nonce as in RFC 8452, with HMAC-SHA-256 in the place of its hash.
 */
export function seal(
  key: DerivedKey,
  subject: string,
  place: Place,
  json: string,
  repeat: string | undefined,
): { readonly [MARK]: Sealed } {
  const aad = bound(place, subject, key.id)
  const nonce = repeat === undefined ? randomBytes(NONCE_BYTES) : syntheticNonce(key, [aad, Buffer.from(repeat), Buffer.from(json)])
  const cipher = createCipheriv('aes-256-gcm', key.seal, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  const sealed = Buffer.concat([cipher.update(json, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return {
    [MARK]: { v: VERSION, subject, key: key.id, nonce: nonce.toString('base64url'), sealed: sealed.toString('base64url') },
  }
}

/** Each part with its length before it, so that no two lists read the same. */
function syntheticNonce({ nonce }: DerivedKey, parts: readonly Buffer[]): Buffer {
  const mac = createHmac('sha256', nonce)
  for (const part of parts) mac.update(`${part.length}:`).update(part)
  return mac.digest().subarray(0, NONCE_BYTES)
}

/** The JSON value that was sealed there. Throws for anything that was changed, or comes from elsewhere. */
export function unseal(key: DerivedKey, sealed: Sealed, place: Place): unknown {
  if (sealed.key !== key.id) throw new Error('it was sealed with another key than the subject has')
  const bytes = Buffer.from(sealed.sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key.seal, Buffer.from(sealed.nonce, 'base64url'), { authTagLength: TAG_BYTES })
  decipher.setAAD(bound(place, sealed.subject, key.id))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  const json = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()])
  return JSON.parse(json.toString('utf8'))
}

export const isMarked = (data: unknown): boolean => typeof data === 'object' && data !== null && Object.hasOwn(data, MARK)

/** What was sealed, or undefined for data that never were. Throws for rubbish under the mark. */
export function sealedOf(data: unknown): Sealed | undefined {
  if (!isMarked(data)) return undefined
  const found = (data as { [MARK]: unknown })[MARK]
  const { v, subject, key, nonce, sealed } = (typeof found === 'object' && found !== null ? found : {}) as Partial<
    Record<keyof Sealed, unknown>
  >
  if (v !== VERSION) throw new Error(`its form ${typeof v === 'number' ? v : 'is none, or'} is not known here`)
  if (typeof subject !== 'string' || !/^[0-9a-f]{64}$/.test(subject) || typeof key !== 'string')
    throw new Error('it names no subject or no key')
  if (!isBytes(nonce, NONCE_BYTES, NONCE_BYTES) || !isBytes(sealed, TAG_BYTES)) throw new Error('its bytes are not whole')
  return { v, subject, key, nonce, sealed }
}

function isBytes(text: unknown, min: number, max = Number.POSITIVE_INFINITY): text is string {
  if (typeof text !== 'string' || !BASE64URL.test(text)) return false
  const { length } = Buffer.from(text, 'base64url')
  return length >= min && length <= max
}

export const corrupt = (what: string, details: object, cause?: unknown): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', what, { effect: 'none', retry: 'never', details, cause })
