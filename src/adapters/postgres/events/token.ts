import { show } from '../../../core/options.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'

/** Of a joined event: its stream's number and its version there, by which its place is found once it has one. */
export type Token =
  | { readonly incarnation: string; readonly position: bigint }
  | { readonly incarnation: string; readonly streamNo: string; readonly version: string }

const FORM = /^([0-9a-f-]{36})\.(?:(\d{1,19})|j(\d{1,19})v(\d{1,16}))$/

export const plainToken = (incarnation: string, position: bigint): string => `${incarnation}.${position}`

export const joinedToken = (incarnation: string, streamNo: string, version: number): string => `${incarnation}.j${streamNo}v${version}`

export function readToken(token: unknown): Token {
  const [, incarnation, position, streamNo, version] = FORM.exec(typeof token === 'string' ? token : '') ?? []
  if (incarnation !== undefined && position !== undefined) return { incarnation, position: BigInt(position) }
  if (incarnation !== undefined && streamNo !== undefined && version !== undefined) return { incarnation, streamNo, version }
  throw invalidInput('waitFor: token', 'a token of a receipt', show(token))
}
