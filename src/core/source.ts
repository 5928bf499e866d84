import { type Ctx, derive } from './ctx.ts'
import { NO_META } from './meta.ts'
import type { Source } from './outcome.ts'

/** A context below `parent` that is told who answered. */
export function sinkBelow(parent: Ctx | undefined): { readonly ctx: Ctx; readonly sink: { readonly source: Source } } {
  const ctx = derive(parent ?? null, parent?.meta ?? NO_META, parent?.attempt ?? 1, undefined, undefined)
  const sink: { source: Source } = { source: 'work' }
  ctx.rare.sink = sink
  return { ctx, sink }
}

/** Notes who answered, for the nearest `tryRun` that asked. */
export function markSource(ctx: Ctx, source: Source): void {
  for (let at: Ctx | null = ctx; at !== null; at = at.parent) {
    const sink = at.more?.sink
    if (sink === undefined || sink === null) continue
    sink.source = source
    return
  }
}
