import { checkOptions, type Read } from '../../core/options.ts'
import { any, optional } from '../../core/rules.ts'
import { type Names, namesOf, type Place } from './names.ts'

const NAME_MAX_BYTES = 63
/** What is left of a name for a prefix. */
const PREFIX_MAX_BYTES = 30

const identifier = (maxBytes: number, absent: string) =>
  any<string>(
    `a text of 1 to ${maxBytes} bytes without NUL`,
    (value) => typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= maxBytes,
    absent,
  )

export const placeRules = { schema: identifier(NAME_MAX_BYTES, 'holdfast'), prefix: optional(identifier(PREFIX_MAX_BYTES, '')) }

export interface PlaceOptions {
  /** The schema of the tables, 1 to 63 bytes; default `holdfast`. Created by the migration where it is missing. */
  readonly schema?: string
  /** Before the name of every table, function and index, 1 to 30 bytes; default none. For a schema that others use too. */
  readonly prefix?: string
}

export const placeOf = ({ schema, prefix }: Read<typeof placeRules>): Place => ({ schema, prefix: prefix ?? '' })

export const checkPlace = (owner: string, options: PlaceOptions | undefined): Names =>
  namesOf(placeOf(checkOptions(owner, options, placeRules)))
