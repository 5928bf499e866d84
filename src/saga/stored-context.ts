import type { Context, ContextChange } from '../core/context.ts'
import type { RecordData, StoredContext } from './records.ts'

/** What of a caller's context goes with the saga: who it is for, not how long the caller waits. */
export function storeContext(context: Context | undefined): StoredContext | undefined {
  if (context === undefined) return undefined
  const { tenant, keys, trace, correlationId, causationId } = context
  const stored = {
    ...(tenant === undefined ? {} : { tenant }),
    ...(Object.keys(keys).length === 0 ? {} : { keys }),
    ...(trace === undefined ? {} : { trace }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId }),
  }
  return Object.keys(stored).length === 0 ? undefined : stored
}

/** What every step of a saga is called with. Without a correlation id of the caller's, the saga's id is it. */
export const identityOf = (id: string, started: RecordData['started']): ContextChange => ({ correlationId: id, ...started.context })
