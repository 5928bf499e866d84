/** Where the tables are: in a schema of their own, or under a prefix in one that others use too. */
export interface Place {
  /** Default `holdfast`. */
  readonly schema: string
  /** Before every table, function and index; default none. */
  readonly prefix: string
}

/** An identifier, whatever it is made of. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

export const literal = (text: string): string => {
  const doubled = text.replaceAll("'", "''")
  // With a backslash in it the meaning of '…' would depend on standard_conforming_strings.
  return text.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}

/** A text in dollar quotes that do not occur in it. */
export function dollars(body: string): string {
  let tag = '$holdfast$'
  for (let n = 1; body.includes(tag); n++) tag = `$holdfast${n}$`
  return `${tag}${body}${tag}`
}

/** How the SQL names what is ours. No search_path takes part. */
export interface Names {
  readonly place: Place
  /** A table, sequence or function, with its schema: `"holdfast"."saga"`. */
  of(name: string): string
  /** An index or constraint, which is created without a schema. */
  bare(name: string): string
  readonly schema: string
}

export const namesOf = (place: Place): Names => ({
  place,
  schema: quoted(place.schema),
  of: (name) => `${quoted(place.schema)}.${quoted(place.prefix + name)}`,
  bare: (name) => quoted(place.prefix + name),
})
