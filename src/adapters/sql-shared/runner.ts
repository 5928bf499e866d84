/** What is bound and what comes back: texts only, cast in the SQL, so that nobody's type parsers or serialisers take part. */
export type SqlText = string | null
export type SqlRow = readonly SqlText[]

/**
 * Runs statements on one connection or inside one open transaction, whatever client it is of. Parameters are `$1::text`, cast from there
 * (`$1::text::bigint[]`), columns are cast to text and read by their place.
 */
export interface SqlRunner {
  query(text: string, values: readonly SqlText[]): Promise<readonly SqlRow[]>
}
