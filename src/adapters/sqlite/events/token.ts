import { createHash } from 'node:crypto'
import { show } from '../../../core/options.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'
import { asNumber, asText } from '../connection.ts'
import type { LogStatements } from './statements.ts'

/** What a token says: the log, the position of the write's last event and, where that may still be rolled back, which event it is. */
export interface Token {
  readonly incarnation: string
  readonly position: number
  readonly mark: string | undefined
}

const FORM = /^([0-9a-f]{16})\.(\d{1,16})(?:\.([\w-]{16}))?$/

export const tokenOf = (incarnation: string, position: number, mark?: string): string =>
  mark === undefined ? `${incarnation}.${position}` : `${incarnation}.${position}.${mark}`

export function readToken(token: unknown): Token {
  const [, incarnation, digits, mark] = FORM.exec(typeof token === 'string' ? token : '') ?? []
  const position = Number(digits)
  if (incarnation === undefined || !Number.isSafeInteger(position))
    throw invalidInput('waitFor: token', 'a token of a receipt', show(token))
  return { incarnation, position, mark }
}

/**
 * Tells the event at a position from another that came to stand there after the first was rolled back. Undefined where there is none: before
 * the first event, and where it was removed.
 */
export function markAt(log: LogStatements, position: number): string | undefined {
  const row = log.eventAt.get(position)
  if (row === undefined) return undefined
  return createHash('sha256')
    .update(`${asNumber(row.recorded_ms)} ${asText(row.id)}`)
    .digest('base64url')
    .slice(0, 16)
}
