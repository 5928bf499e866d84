/** A number from 0 (inclusive) to 1 (exclusive) that depends on its arguments alone: the same on every run, in any order of asking. */
export function draw(...parts: readonly (string | number)[]): number {
  let hash = 2_166_136_261
  for (const character of parts.join('\u0000')) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619)
  // FNV-1a alone leaves neighbouring inputs close together; these are the last steps of MurmurHash3.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/** A number from `min` (inclusive) to `max` (exclusive), drawn like `draw`. */
export const drawBetween = (min: number, max: number, ...parts: readonly (string | number)[]): number => min + draw(...parts) * (max - min)
