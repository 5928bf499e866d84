// Engines and drivers that a test needs. Where one cannot be had the tests are skipped visibly: the run ends with a list of what was
// skipped and why, and REQUIRE_SERVICES=1 turns each such skip into a failure.
import { createRequire } from 'node:module'
import { describe, inject, test } from 'vitest'
import { type Availability, type Driver, type Need, packageOf } from './probe.ts'

export type { Availability, Need } from './probe.ts'

declare module 'vitest' {
  interface ProvidedContext {
    availability: Readonly<Record<Need, Availability>>
  }
  interface TaskMeta {
    /** What was missing, and why, for the summary at the end. */
    skippedFor?: string
  }
}

/** Whether an engine or driver can be had on this machine, asked once per run. */
export const availability = (need: Need): Availability => inject('availability')[need]

/** A `describe` whose tests need an engine or a driver. `describeWith('redis', 'the Redis transport', () => { test(…) })` */
export function describeWith(need: Need, name: string, body: () => void): void {
  const { ready, reason, excused } = availability(need)
  if (ready) {
    describe(name, body)
  } else if (process.env.REQUIRE_SERVICES === '1' && !excused) {
    describe(name, () => {
      test(`reaches ${need}`, () => {
        throw new Error(`${need}: ${reason}, and REQUIRE_SERVICES=1`)
      })
    })
  } else {
    describe(name, { skip: true, meta: { skippedFor: `${need}: ${reason}` } }, body)
  }
}

/** Loads a driver that `availability` says is ready: from node_modules, or from the folder that HOLDFAST_DRIVERS names. */
export function loadDriver<Module>(need: Driver): Module {
  const { from } = availability(need)
  return createRequire(from ?? import.meta.url)(packageOf(need)) as Module
}
