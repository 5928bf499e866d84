import { frame, fuses as fusesGuards } from './frame/frame.ts'
import type { Next, Rescue } from './frame/types.ts'
import type { GuardPart, Part, WrapPart } from './inside.ts'

/** What the test suite inserts around every part, to show that composition has no blind spot. Null in production. */
export const insertion: { wrap: ((next: Next) => Next) | null } = { wrap: null }

/** Composes parts, outermost first, around `next`. Runs of guards are fused; a retry directly around a racing frame becomes its rescue. */
export function compose(parts: readonly Part[], next: Next): Next {
  let inner = inserted(next)
  let run: GuardPart[] = []
  for (const part of parts.toReversed()) {
    if ('guard' in part) {
      if (run.length > 0 && (insertion.wrap !== null || !fuses(part, run))) {
        inner = inserted(framed(run, inner, null))
        run = []
      }
      run.unshift(part)
      continue
    }
    inner = inserted(wrapped(part, run, inner))
    run = []
  }
  return run.length === 0 ? inner : framed(run, inner, null)
}

/** A user's guard inside one of ours needs the context that a frame makes, so it begins a frame of its own. */
const fuses = (outer: GuardPart, run: readonly GuardPart[]): boolean =>
  (outer.foreign === true || run[0]?.foreign !== true) && fusesGuards(outer.guard, guardsOf(run))

const guardsOf = (run: readonly GuardPart[]) => run.map((part) => part.guard)

function framed(run: readonly GuardPart[], inner: Next, rescue: Rescue | null): Next {
  const framed = frame(guardsOf(run), inner, rescue)
  // A user's guard may have read `signal` of the context that was made for the call, which somebody then has to end.
  if (run[0]?.foreign === true) framed.answersAborts = false
  return framed
}

function wrapped(part: WrapPart, run: readonly GuardPart[], inner: Next): Next {
  if (run.length === 0) return part.wrap(inner)
  const again = framed(run, inner, null)
  const rescues =
    insertion.wrap === null && run[0]?.foreign !== true && run.some(({ guard }) => guard.races === true && guard.clock === part.clock)
  return part.rescue !== undefined && rescues ? framed(run, inner, part.rescue(again)) : part.wrap(again)
}

const inserted = (next: Next): Next => (insertion.wrap === null ? next : insertion.wrap(next))
