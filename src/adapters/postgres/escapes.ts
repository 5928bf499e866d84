const NUL = '\u0000'
const SOH = '\u0001'
const STX = '\u0002'

/**
 * PostgreSQL's text holds every character but U+0000. That is kept as U+0001 U+0001, and U+0001 as U+0001 U+0002: the order of the texts stays
 * as it is, and so does which one begins with which.
 */
export const escaped = (text: string): string =>
  text.includes(SOH) || text.includes(NUL) ? text.replaceAll(SOH, SOH + STX).replaceAll(NUL, SOH + SOH) : text

export function unescaped(stored: string): string {
  if (!stored.includes(SOH)) return stored
  let text = ''
  for (let at = 0; at < stored.length; at++) {
    const character = stored.charAt(at)
    // Both escapes are two characters, of which the second says which.
    text += character !== SOH ? character : stored.charAt(++at) === SOH ? NUL : SOH
  }
  return text
}
