import { createHash } from 'node:crypto'
import type { PgStatement } from './client/client.ts'

/** A statement under a name that is made of its text, so that two versions of it never meet under one name. */
export const statement = (text: string): PgStatement => ({
  name: `hf_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`,
  text,
})

/** A list as PostgreSQL reads it, for `$1::text::bigint[]` or `$1::text::text[]`. */
export function arrayText(values: readonly (string | number | bigint | boolean | null)[]): string {
  return `{${values.map(element).join(',')}}`
}

function element(value: string | number | bigint | boolean | null): string {
  if (value === null) return 'NULL'
  return typeof value === 'string' ? `"${value.replace(/["\\]/g, '\\$&')}"` : String(value)
}
