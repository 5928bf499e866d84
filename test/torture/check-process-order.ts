// Promise 1: what one process hands in for one stream is decided in that order. Promise 5: who shares nothing with a held stream is not held up.
import type { Facts, Known, Tell } from './checker.ts'

/** How long an ask may take that nobody holds up: processes are stopped for less than a second, connections are cut, locks are held for a moment. */
const ANSWER_MAX_US = 6_000_000

export function checkProcessOrder({ requests, history: { held } }: Facts, tell: Tell): void {
  const latest = new Map<string, { known: Known; version: number }>()
  const plain = [...requests.values()].filter(({ ask, asks, found }) => !ask.joined && asks.length === 1 && found.length > 0)
  for (const known of plain.sort((a, b) => a.ask.askedUs - b.ask.askedUs)) {
    // A process is named in front of the slash.
    const process = known.ask.request.slice(0, known.ask.request.indexOf('/'))
    for (const { stream } of known.found) {
      const former = latest.get(`${process}/${stream}`)
      const version = known.found.find((place) => place.stream === stream)?.version ?? 0
      if (former !== undefined && former.known !== known && former.known.ask.askedUs < known.ask.askedUs && former.version > version)
        tell(
          1,
          `${stream}: request ${known.ask.request} was handed in after ${former.known.ask.request} and is at version ${version} before ${former.version}`,
        )
      if (former === undefined || former.version < version) latest.set(`${process}/${stream}`, { known, version })
    }
  }
  for (const { ask, answers } of requests.values()) {
    if (ask.joined || ask.writes.some(({ stream }) => held.includes(stream))) continue
    for (const { askedUs, answeredUs, result } of answers)
      if (answeredUs - askedUs > ANSWER_MAX_US)
        tell(
          5,
          `request ${ask.request} holds nobody's stream and was answered (${result}) after ${Math.round((answeredUs - askedUs) / 1_000)} ms`,
        )
  }
}
