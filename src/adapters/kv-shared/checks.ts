import type { HoldfastError } from '../../core/errors.ts'
import { checkOptions, show } from '../../core/options.ts'
import { any, optional, whole } from '../../core/rules.ts'
import type { KeyFilter, PutOptions } from '../../ports/key-value.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkText } from '../storage-shared/texts.ts'

/** What the port promises to every adapter: keys, names and owners of leases. */
const KEY_MAX_BYTES = 512

/** Why a text is no key, in words that complete "must be …". */
const KEY = `a text of 1 to ${KEY_MAX_BYTES} bytes`

/**
 * Refuses what no engine would keep as it is, before anything is done.
 *
 * @throws {HoldfastError} `INVALID_INPUT` (effect none), or `NOT_JSON` (effect none) for a lone surrogate.
 */
export function checkKey(what: string, key: unknown): void {
  checkText(what, key)
  const text = key as string
  if (text === '' || tooLong(text, KEY_MAX_BYTES)) throw invalidInput(what, KEY, text === '' ? '""' : `${Buffer.byteLength(text)} bytes`)
}

/** A begin of keys: may be empty. */
function checkPrefix(what: string, prefix: unknown): void {
  checkText(what, prefix)
  if (tooLong(prefix as string, KEY_MAX_BYTES)) throw invalidInput(what, `a text of at most ${KEY_MAX_BYTES} bytes`, show(prefix))
}

/** Why `watch` does not take that prefix; it tells it at the first step of its loop, as everything else. */
export function refusedPrefix(prefix: unknown): HoldfastError | undefined {
  try {
    checkPrefix('watch: prefix', prefix)
    return undefined
  } catch (error) {
    return error as HoldfastError
  }
}

function checkValue(what: string, value: unknown, valueMaxBytes: number): void {
  checkText(what, value)
  const text = value as string
  if (tooLong(text, valueMaxBytes)) throw invalidInput(what, `at most ${valueMaxBytes} bytes`, `${Buffer.byteLength(text)} bytes`)
}

/** A text of few units needs no counting: a unit is three bytes at most. */
const tooLong = (text: string, maxBytes: number): boolean => text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes

export function checkTtl(what: string, ttlMs: unknown, maxMs = Number.MAX_SAFE_INTEGER): void {
  if (typeof ttlMs === 'number' && ttlMs >= 1 && ttlMs <= maxMs) return
  throw invalidInput(what, `a number of milliseconds from 1 to ${maxMs}`, show(ttlMs))
}

export function checkPut(key: string, value: string, options: PutOptions | undefined, valueMaxBytes: number): void {
  checkKey('put: key', key)
  checkValue(`put ${key}: value`, value, valueMaxBytes)
  const { expect, ttlMs } = options ?? {}
  if (ttlMs !== undefined) checkTtl(`put ${key}: ttlMs`, ttlMs)
  if (expect !== undefined && expect !== 'any' && expect !== 'none')
    checkRevision(`put ${key}: expect`, "'any', 'none' or a revision", expect)
}

export function checkIncrement(key: string, by: number, ttlMs: number | undefined): void {
  checkKey('increment: key', key)
  if (!Number.isSafeInteger(by)) throw invalidInput(`increment ${key}: by`, 'a whole number', show(by))
  if (ttlMs !== undefined) checkTtl(`increment ${key}: ttlMs`, ttlMs)
}

export function checkDelete(key: string, revision: number | undefined): void {
  checkKey('delete: key', key)
  if (revision !== undefined) checkRevision(`delete ${key}: revision`, 'a revision', revision)
}

function checkRevision(what: string, must: string, given: unknown): void {
  if (!Number.isSafeInteger(given) || (given as number) < 1) throw invalidInput(what, must, show(given))
}

const DECIMAL = /^(?:0|-?[1-9]\d{0,15})$/

/** The sum that `increment` leaves behind. @throws {HoldfastError} `INVALID_INPUT` (effect none) where there is none. */
export function sum(key: string, value: string | undefined, by: number): number {
  const number = value === undefined ? 0 : DECIMAL.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw noNumber(key)
  if (!Number.isSafeInteger(number + by)) throw sumTooLarge(key)
  return number + by
}

export const noNumber = (key: string): HoldfastError =>
  invalidInput(`increment ${key}: what is kept there`, 'a whole number', 'something else; it is unchanged')

export const sumTooLarge = (key: string): HoldfastError =>
  invalidInput(`increment ${key}: the sum`, 'a whole number within ±2^53', 'more; what is kept is unchanged')

const aText = (value: unknown): boolean => typeof value === 'string'
const page = (after: string) => ({
  prefix: any<string>('a text', aText, ''),
  limit: whole({ min: 1, max: 1_000, default: 100 }),
  [after]: optional(any<string>('a text', aText, '')),
  signal: any<unknown>('an AbortSignal', (value) => typeof value === 'object', undefined),
})
const keyPage = page('afterKey')
const namePage = page('afterName')

/** One page of keys or names, with everything filled in. */
export interface Page {
  readonly prefix: string
  readonly limit: number
  /** Undefined: from the first. */
  readonly after: string | undefined
}

/** @throws {HoldfastError} `INVALID_OPTIONS` or `NOT_JSON` (effect none). */
export const checkKeyPage = (filter: KeyFilter | undefined): Page => checkPage(filter, keyPage, 'afterKey')
export const checkNamePage = (filter: object | undefined): Page => checkPage(filter, namePage, 'afterName')

function checkPage(filter: object | undefined, rules: typeof keyPage, afterName: string): Page {
  const read = checkOptions('list', filter, rules) as Record<string, unknown>
  const after = read[afterName] as string | undefined
  checkPrefix('list: prefix', read.prefix)
  if (after !== undefined) checkText(`list: ${afterName}`, after)
  return { prefix: read.prefix as string, limit: read.limit as number, after }
}
