// What the demo prints while it runs: a live line on a terminal, a line per second otherwise.
const REFRESH_MS = 200
const LINE_EVERY_MS = 1_000

export interface Screen {
  /** A line that stays, with the time in front. */
  say(text: string): void
  /** What the live line shows, asked for again and again until it is stopped. */
  follow(line: () => string): () => void
  readonly elapsedMs: number
}

const isTerminal = process.stdout.isTTY === true
const hasColour = isTerminal && process.env.NO_COLOR === undefined

const colour = (code: number) => (text: string) => (hasColour ? `\u001b[${code}m${text}\u001b[0m` : text)
export const bold = colour(1)
export const dim = colour(2)
export const red = colour(31)
export const green = colour(32)
export const yellow = colour(33)

export function openScreen(): Screen {
  const startedMs = performance.now()
  let live: (() => string) | undefined
  const stamp = () => `${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5)} s  `
  const clear = () => isTerminal && live !== undefined && process.stdout.write('\r\u001b[2K')
  const draw = () => {
    if (live !== undefined) process.stdout.write(`\r\u001b[2K${`${stamp()}${live()}`.slice(0, (process.stdout.columns ?? 100) - 1)}`)
  }
  return {
    say(text) {
      clear()
      console.log(`${dim(stamp())}${text}`)
      if (isTerminal) draw()
    },
    follow(line) {
      live = line
      const timer = isTerminal ? setInterval(draw, REFRESH_MS) : setInterval(() => console.log(`${stamp()}${line()}`), LINE_EVERY_MS)
      return () => {
        clearInterval(timer)
        clear()
        live = undefined
      }
    },
    get elapsedMs() {
      return performance.now() - startedMs
    },
  }
}
