import type { HoldfastError } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { SqlRunner } from '../../sql-shared/runner.ts'
import { certainlyNone } from '../client/leaving.ts'
import { statementError, stateOf } from '../errors.ts'
import { txNotOpen } from './not-open.ts'
import { type Recognised, recognise } from './recognise.ts'

/** Does nothing inside a transaction block, and fails outside one (25P01) or in one that has failed (25P02). One statement, so that it can be prepared. */
const PROBE = 'lock table pg_catalog.pg_namespace in access share mode'

/**
 * What runs statements inside the user's own open transaction, whatever client it is of. Columns of statements that are sent there need names
 * of their own: some clients give rows as objects. Errors have effect none, since the transaction is not committed.
 *
 * @throws {HoldfastError} `TX_NOT_OPEN` (effect none) for a pool, a client outside a transaction, one whose transaction is over or has failed,
 * and for anything else. What an `sql` of postgres.js or a client that was given back does later in somebody else's transaction cannot be told.
 */
export async function asOpenTransaction(tx: unknown, how: string): Promise<SqlRunner> {
  const found = shape(tx)
  if (found === undefined) throw txNotOpen(show(tx))
  const open = found.open()
  if (open === false) throw txNotOpen(`${found.kind} outside a transaction, or in one that has failed`)
  if (open === undefined) await probe(found, how)
  return {
    query: async (text, values) => {
      try {
        return await found.send(text, values)
      } catch (error) {
        throw certainlyNone(statementError(error, how))
      }
    },
  }
}

/** Anything can be handed in, a proxy that throws too. */
function shape(tx: unknown): Recognised | undefined {
  try {
    return recognise(tx)
  } catch {
    return undefined
  }
}

async function probe(found: Recognised, how: string): Promise<void> {
  try {
    await found.send(PROBE, [])
  } catch (error) {
    const ours = statementError(error, how)
    const state = stateOf(ours)
    // What has no SQLSTATE is the client's own: a transaction that it knows to be over, a connection that is closed.
    if (state === undefined || state.startsWith('25'))
      throw txNotOpen(`${found.kind}: ${error instanceof Error ? error.message : String(error)}`, error)
    throw certainlyNone(ours) as HoldfastError
  }
}
