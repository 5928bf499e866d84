/**
 * Compares by code point, which is the order of the UTF-8 bytes and of every engine's binary collation. `<` compares UTF-16 units, which
 * puts astral characters before U+E000.
 */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Units of surrogate pairs above everything else; where both are surrogates their own order is that of the code points. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
