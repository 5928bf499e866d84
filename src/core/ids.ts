import { randomBytes } from 'node:crypto'

const POOL_BYTES = 4096
const TIME_MAX_MS = 2 ** 48 - 1
let pool = Buffer.alloc(0)
let at = 0
let lastMs = 0
let sequence = 0

function byte(): number {
  if (at >= pool.length) {
    pool = randomBytes(POOL_BYTES)
    at = 0
  }
  return pool[at++] as number
}

const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))

/**
 * A UUID version 7: 48 bits of wall-clock milliseconds, then a 12-bit counter, then 62 random bits. Ids made by one process sort in the
 * order they were made, also when the clock stands still or steps back.
 *
 * Source: RFC 9562, section 5.7 and method 1 of section 6.2.
 */
export function uuidv7(epochMs: number = Date.now()): string {
  const wholeMs = Math.floor(epochMs)
  // Beyond 48 bits (and for NaN) the time cannot be written down; counting on from the last id still gives a new one in order.
  if (wholeMs > lastMs && wholeMs <= TIME_MAX_MS) {
    lastMs = wholeMs
    sequence = ((byte() & 0x07) << 8) | byte()
  } else if (++sequence > 0xfff) {
    lastMs += 1
    sequence = 0
  }
  const time = lastMs.toString(16).padStart(12, '0')
  const counter = sequence.toString(16).padStart(3, '0')
  let random = HEX[(byte() & 0x3f) | 0x80] as string
  for (let i = 0; i < 7; i++) random += HEX[byte()]
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${random.slice(0, 4)}-${random.slice(4)}`
}
