import type { PartHealth } from '../ports/part.ts'

/** How an application is. `live`: restarting it would not help. `ready`: send it work. */
export interface Health {
  readonly live: boolean
  readonly ready: boolean
  readonly parts: Readonly<Record<string, PartHealth>>
}
