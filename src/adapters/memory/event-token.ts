import { show } from '../../core/options.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { logReset } from './event-judge.ts'
import type { EventLog } from './event-log.ts'

const FORM = /^([0-9a-f-]{36})\.(j?)(\d{1,15})$/

/**
 * Where the write that a token names came to stand; undefined while its transaction is open, and for good where that was rolled back.
 *
 * A token is the log's incarnation, a dot, and the position, or `j` and the number of a joined write.
 */
export function placeOf(log: EventLog, token: string): number | undefined {
  const [, incarnation, joined, digits] = FORM.exec(typeof token === 'string' ? token : '') ?? []
  if (incarnation === undefined) throw invalidInput('waitFor: token', 'a token of a receipt', show(token))
  if (incarnation !== log.incarnation) throw logReset(`token ${show(token)} is not the log's`)
  const number = Number(digits)
  if (number > (joined === '' ? log.head : log.joined.length - 1)) throw logReset(`token ${show(token)} is past the head of the log`)
  return joined === '' ? number : log.joined[number]
}
