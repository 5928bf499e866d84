import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from './context.ts'
import { singleton } from './singleton.ts'

interface Seat {
  storage: AsyncLocalStorage<Context> | null
}
/** Read on each call, so it is a field, not a function. */
export const ambientSeat: Seat = /* @__PURE__ */ singleton('ambient', () => ({ storage: null }))

/**
 * From now on calls find the context of whatever they run inside, without it being handed on. Opt-in, and for the whole process: on
 * Node 20 an AsyncLocalStorage raises the cost of every await in the process from 58 to 202 ns.
 */
export function enableAmbient(): void {
  ambientSeat.storage ??= new AsyncLocalStorage()
}

/** The context this code runs inside; undefined outside one, or while ambient contexts are off. */
export const ambientContext = (): Context | undefined => ambientSeat.storage?.getStore()

/** Runs `fn`, and everything it starts, inside `context`; just runs it while ambient contexts are off. */
export const runAmbient = <T>(context: Context, fn: () => T): T =>
  ambientSeat.storage === null ? fn() : ambientSeat.storage.run(context, fn)
