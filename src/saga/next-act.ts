import type { Step } from './definition.ts'
import type { Progress } from './progress.ts'

/** What a saga has to do now. */
export type Act =
  | { readonly do: 'nothing' }
  /** Record the intent of a step or of an undo. */
  | { readonly do: 'begin'; readonly step: Step; readonly direction: 'run' | 'undo' }
  /** Call `run` or `undo`. */
  | { readonly do: 'attempt'; readonly step: Step; readonly direction: 'run' | 'undo' }
  /** A step was cut short by a cancel: record what is known of it. */
  | { readonly do: 'close'; readonly step: Step }
  | { readonly do: 'complete' }
  | { readonly do: 'endUndone' }

/** Depends on the definition and the records alone. `steps` are those the saga was started with. */
export function nextAct(steps: readonly Step[], progress: Progress): Act {
  const { open, cause } = progress
  if (progress.finished !== null || progress.parked !== null) return { do: 'nothing' }
  if (open !== null) {
    const step = steps.find(({ name }) => name === open.step)
    if (step === undefined) return { do: 'nothing' }
    if (cause !== null && open.direction === 'run') return { do: 'close', step }
    return { do: 'attempt', step, direction: open.direction }
  }
  if (cause === null) {
    const step = steps.find(({ name }) => !progress.ended.has(name))
    return step === undefined ? { do: 'complete' } : { do: 'begin', step, direction: 'run' }
  }
  const step = steps.findLast((each) => hasToBeUndone(each, progress))
  return step === undefined ? { do: 'endUndone' } : { do: 'begin', step, direction: 'undo' }
}

/** Every step that was attempted, unless its effect is certainly none. */
function hasToBeUndone(step: Step, progress: Progress): boolean {
  const ended = progress.ended.get(step.name)
  return step.undo !== undefined && ended !== undefined && ended.effect !== 'none' && !ended.undone
}

/** Whether the point of no return is behind: from its intent on, unless the pivot certainly did nothing. */
export function isPastPivot(steps: readonly Step[], progress: Progress): boolean {
  const pivot = steps.find(({ kind }) => kind === 'pivot')
  if (pivot === undefined) return false
  if (progress.open?.step === pivot.name) return true
  const ended = progress.ended.get(pivot.name)
  return ended !== undefined && ended.effect !== 'none'
}
