import type { AppendOptions, AppendRequest, AppendVerdict, EventStore } from '../../ports/event-store.ts'

/** A request to pass on, or what it is answered without that. */
export type Prepared = { readonly pass: AppendRequest } | { readonly answer: AppendVerdict }

/** Appends those to pass on, as one call, and answers every request in its place. */
export async function appendPrepared(
  store: EventStore,
  prepared: readonly Prepared[],
  options: AppendOptions | undefined,
): Promise<readonly AppendVerdict[]> {
  const passed = prepared.flatMap((one) => ('pass' in one ? [one.pass] : []))
  const answers = await store.append(passed, options)
  let at = 0
  return prepared.map((one) => ('pass' in one ? (answers[at++] as AppendVerdict) : one.answer))
}
