import { show } from '../../core/options.ts'
import { invalidInput, loneSurrogate } from './refusals.ts'

/** In ES2024's library, and in every Node since 20. */
interface WellFormed {
  isWellFormed(): boolean
}

/**
 * Refuses what no engine would give back as it was.
 *
 * @throws {HoldfastError} `NOT_JSON` (effect none) for a lone surrogate, `INVALID_INPUT` (effect none) for what is no text.
 */
export function checkText(what: string, text: unknown): asserts text is string {
  if (typeof text !== 'string') throw invalidInput(what, 'a text', show(text))
  if (!(text as unknown as WellFormed).isWellFormed()) throw loneSurrogate(what)
}

/** A text of 1 to `maxBytes` bytes of UTF-8. */
export function checkName(what: string, text: unknown, maxBytes: number): asserts text is string {
  checkText(what, text)
  // Each UTF-16 unit takes one to three bytes: only what lies between has to be counted.
  const bytes = text.length * 3 <= maxBytes ? text.length : Buffer.byteLength(text)
  if (bytes < 1 || bytes > maxBytes) throw invalidInput(what, `1 to ${maxBytes} bytes of UTF-8`, `${bytes} bytes`)
}

export function checkWhole(what: string, value: unknown): void {
  if (!Number.isSafeInteger(value)) throw invalidInput(what, 'a whole number', show(value))
}
