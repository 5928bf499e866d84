// Promise 1: what one process hands in for one stream is decided in that order. Promise 5: who shares nothing with a held stream is not held up.
import type { Facts, Known, Tell } from './checker.ts'

/**
 * Most asks that nobody holds up are answered sooner, also while processes are stopped for a second, connections are cut and the machine is busy; a
 * store where they wait for whoever holds a stream is slower with nearly all of them.
 */
const SOON_US = 1_000_000
const LATE_SHARE_MAX = 0.25

export function checkProcessOrder({ requests }: Facts, tell: Tell): void {
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
}

export function checkLiveness({ requests, history: { held } }: Facts, tell: Tell): void {
  const free = [...requests.values()].filter(({ ask }) => !ask.joined && !ask.writes.some(({ stream }) => held.includes(stream)))
  const tookUs = free.flatMap(({ answers }) => answers.map(({ askedUs, answeredUs }) => answeredUs - askedUs))
  const late = tookUs.filter((us) => us > SOON_US).length
  if (late > tookUs.length * LATE_SHARE_MAX)
    tell(
      5,
      `${late} of ${tookUs.length} requests that share nothing with a held stream were answered after more than ${SOON_US / 1_000} ms`,
    )
}
