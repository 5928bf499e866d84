/**
 * A stream of numbers from 0 (inclusive) to 1 (exclusive) that a seed repeats. For drills and tests, never for secrets.
 *
 * Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014), the 32-bit mixing variant.
 */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 4_294_967_296
  }
}
