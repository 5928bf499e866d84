import { HoldfastError, refusal } from '../../core/errors.ts'
import { invalidOption } from '../../core/options.ts'

/** How a query builder opens a transaction: commits when the body resolves, rolls back when it rejects. */
export type Begin<Tx> = (body: (tx: Tx) => Promise<void>) => Promise<unknown>

export interface RunTransactionOptions<Tx> {
  /** Names who runs it, in errors. */
  readonly owner: string
  readonly begin: Begin<Tx>
  /** A statement that fails in a transaction that has failed: its commit would quietly roll back. */
  readonly probe: (tx: Tx) => Promise<unknown>
  readonly signal: AbortSignal | undefined
}

/** What becomes of a transaction, kept apart from what its builder throws: one that cannot roll back throws that instead of the reason. */
type Stage<T> = { at: 'beginning' } | { at: 'inside' } | { at: 'failed'; error: unknown } | { at: 'committing'; value: T }

/**
 * Runs `fn` in a transaction of a query builder, and says what is known where it fails: what `fn` threw as it is, and a commit whose answer was
 * lost as effect unknown.
 */
export async function runTransaction<Tx, T>(fn: (tx: Tx) => Promise<T>, options: RunTransactionOptions<Tx>): Promise<T> {
  const { owner, begin, probe, signal } = options
  if (typeof fn !== 'function') throw invalidOption(owner, 'run', 'given a function', fn)
  if (signal?.aborted) throw abortedIn(owner, signal)
  let stage: Stage<T> = { at: 'beginning' }
  const body = async (tx: Tx): Promise<void> => {
    stage = { at: 'inside' }
    try {
      const value = await untilAborted(owner, fn(tx), signal)
      await probe(tx)
      stage = { at: 'committing', value }
    } catch (error) {
      stage = { at: 'failed', error }
      throw error
    }
  }
  try {
    await begin(body)
  } catch (error) {
    throw failure(owner, stage, error)
  }
  return answerOf(owner, stage)
}

function answerOf<T>(owner: string, stage: Stage<T>): T {
  if (stage.at === 'committing') return stage.value
  if (stage.at === 'failed') throw stage.error
  throw invalidOption(owner, 'db', 'a database whose transactions wait for their function', stage.at)
}

function failure(owner: string, stage: Stage<unknown>, error: unknown): unknown {
  if (stage.at === 'failed') return stage.error
  const reason = error instanceof Error ? error.message : String(error)
  if (stage.at !== 'committing')
    return refusal('STORAGE_UNAVAILABLE', `${owner}: no transaction could be begun: ${reason}`, { cause: error, details: { reason } })
  const state = sqlStateOf(error)
  const rolledBack = state !== undefined && !/^(08|57P)/.test(state)
  return new HoldfastError(
    'STORAGE_UNAVAILABLE',
    rolledBack ? `${owner}: the transaction was rolled back at its commit: ${reason}` : `${owner}: the commit's answer was lost: ${reason}`,
    { effect: rolledBack ? 'none' : 'unknown', retry: rolledBack ? 'later' : 'never', cause: error, details: { reason, state } },
  )
}

/** The function's answer, or ABORTED as soon as the signal says so; the function itself is left to end in its own time. */
async function untilAborted<T>(owner: string, work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  let leave = (): void => {}
  const aborting = new Promise<never>((_, reject) => {
    const abort = (): void => reject(abortedIn(owner, signal))
    signal.addEventListener('abort', abort, { once: true })
    leave = () => signal.removeEventListener('abort', abort)
  })
  try {
    return await Promise.race([work, aborting])
  } finally {
    leave()
  }
}

const abortedIn = (owner: string, signal: AbortSignal): HoldfastError =>
  new HoldfastError('ABORTED', `${owner}: the transaction was aborted and rolled back`, {
    effect: 'none',
    retry: 'never',
    cause: signal.reason,
  })

/** PostgreSQL's five characters, wherever in the chain of causes a query builder has put them. */
function sqlStateOf(error: unknown): string | undefined {
  let at = error
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { code, cause, meta, originalCode } = at as Record<string, unknown>
    for (const value of [code, originalCode, (meta as { code?: unknown } | undefined)?.code])
      if (typeof value === 'string' && /^[0-9A-Z]{5}$/.test(value) && !/^(P[1-9][0-9]{3}|E[A-Z]{4})$/.test(value)) return value
    at = cause
  }
  return undefined
}
