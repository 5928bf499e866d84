// Guards that write down what they are told, and frames as they are even where the suite puts an identity around every part.
import { afterEach, beforeEach } from 'vitest'
import { insertion } from '../../src/core/compose.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../../src/core/guard.ts'
import type { Policy } from '../../src/core/handler.ts'
import { guardPolicy } from './support.ts'

/** What was told, in order; empty at the start of each test. */
export const seen: string[] = []
const former = insertion.wrap
beforeEach(() => {
  seen.length = 0
  insertion.wrap = null
})
afterEach(() => {
  insertion.wrap = former
})

export type Answer = Permit | Refusal | Promise<Permit | Refusal>

export const permitOf = (name: string, more: Partial<Permit> = {}): Permit => ({
  leave: (ok, result) => void seen.push(`${name} leaves ${ok ? 'ok' : ((result as { code?: string } | null)?.code ?? String(result))}`),
  release: () => void seen.push(`${name} releases`),
  ...more,
})

/** One of our own guards: it fuses with others on whichever side. */
export const probe = (
  name: string,
  enter: (permit: Permit, ctx: GuardContext) => Answer = (permit) => permit,
  more: Partial<Guard> = {},
): Policy => guardPolicy({ name, keeps: true, ...more, enter: (ctx) => enter(permitOf(name), ctx) })

export const never = (): Promise<never> => new Promise(() => {})
