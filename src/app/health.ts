import type { Clock } from '../core/clock.ts'
import type { Part, PartHealth } from '../ports/part.ts'
import type { Storage } from '../ports/storage.ts'

/** How an application is. `live`: restarting it would not help. `ready`: send it work. */
export interface Health {
  readonly live: boolean
  readonly ready: boolean
  /** `storage`, `bus`, `sagas`. */
  readonly parts: Readonly<Record<string, PartHealth>>
}

/** A storage that takes longer to say how it is counts as down. */
const ANSWER_MAX_MS = 1_000

export async function healthOf(storage: Storage, parts: readonly Part[], clock: Clock): Promise<Health['parts']> {
  const all = [['storage', await storageHealth(storage, clock)], ...parts.map((part) => [part.name, partHealth(part)])]
  return Object.fromEntries(all) as Health['parts']
}

export const works = (parts: Health['parts']): boolean => Object.values(parts).every(({ status }) => status !== 'down')

function storageHealth(storage: Storage, clock: Clock): Promise<PartHealth> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(down(`no answer within ${ANSWER_MAX_MS} ms`)), ANSWER_MAX_MS, { background: true })
    Promise.resolve()
      .then(() => storage.health())
      .catch(down)
      .then((health) => {
        timer.clear()
        resolve(health)
      })
  })
}

function partHealth(part: Part): PartHealth {
  try {
    return part.health()
  } catch (error) {
    return down(error)
  }
}

const down = (why: unknown): PartHealth => ({ status: 'down', reason: why instanceof Error ? why.message : String(why) })
