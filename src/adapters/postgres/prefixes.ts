const LAST = 0x10ffff

/** The first text that sorts after all that begin with `prefix`, by code points; null where there is none. */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  while (points.length > 0) {
    const last = points.pop() as number
    // Surrogates are no characters of a text.
    if (last < LAST) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return null
}
