// Promise 3: one gapless order that agrees with the streams' versions and with who was answered before whom was asked.
import { acknowledgedUs, askedUs, type Facts, type Known, type Tell } from './checker.ts'

export function checkOrder(facts: Facts, tell: Tell): void {
  gapless(facts, tell)
  versions(facts, tell)
  realTime(facts, tell)
}

function gapless({ history: { log } }: Facts, tell: Tell): void {
  log.forEach(({ position, id }, i) => {
    if (position !== i + 1) tell(3, `event ${id} is the ${i + 1}th of the log and has position ${position}`)
  })
}

function versions({ streams }: Facts, tell: Tell): void {
  for (const [stream, events] of streams)
    events.forEach(({ version, position }, i) => {
      if (version !== i + 1) tell(3, `${stream}: the ${i + 1}th event by position (${position}) has version ${version}`)
    })
}

/** Who was acknowledged before another was asked has the lower positions. Swept once, by time. */
function realTime({ requests }: Facts, tell: Tell): void {
  const written = [...requests.values()].filter(({ found }) => found.length > 0)
  const ended = written
    .map((known) => ({ known, us: acknowledgedUs(known) }))
    .filter((end): end is { known: Known; us: number } => end.us !== undefined)
    .sort((a, b) => a.us - b.us)
  const begun = [...written].sort((a, b) => askedUs(a) - askedUs(b))
  let next = 0
  let highest = 0
  let holder: Known | undefined
  for (const known of begun) {
    for (; next < ended.length && (ended[next]?.us ?? 0) < askedUs(known); next++) {
      const last = ended[next]?.known.found.at(-1)?.position ?? 0
      if (last > highest) {
        highest = last
        holder = ended[next]?.known
      }
    }
    const first = known.found[0]?.position ?? 0
    if (first < highest)
      tell(
        3,
        `request ${known.ask.request} was asked after ${holder?.ask.request} had been answered, and has position ${first} before ${highest}`,
      )
  }
}
