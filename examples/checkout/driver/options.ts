import { parseArgs } from 'node:util'
import type { Misbehaviour } from '../participants/keyed-effects.ts'
import type { Service } from '../participants/ledger.ts'

/** Ways to break a participant, to see the proofs fail. */
const BREAKS: Readonly<Record<string, { readonly service: Service; readonly misbehaves: Misbehaviour }>> = {
  keys: { service: 'payment', misbehaves: { ignoresKeys: true } },
  undo: { service: 'inventory', misbehaves: { forgetsUndo: true } },
  tombstones: { service: 'shipping', misbehaves: { ignoresTombstones: true } },
  charge: { service: 'payment', misbehaves: { forgetsEffect: true } },
}

export interface Options {
  readonly seed: number
  readonly broken: { readonly name: string; readonly service: Service; readonly misbehaves: Misbehaviour } | undefined
}

export const USAGE = `npm run demo -- [--seed N]

  --seed N       the same orders, faults, outages and kill points again (default 1)
  --break WHAT   makes one participant misbehave, so that a proof fails and the exit code is 1: ${Object.keys(BREAKS).join(' | ')}`

/** Throws an Error with one sentence when an argument is not understood. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: { seed: { type: 'string', default: '1' }, break: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return 'help'
  if (!/^\d{1,9}$/.test(values.seed)) throw new Error(`--seed takes a whole number of at most 9 digits, not "${values.seed}"`)
  const broken = values.break === undefined ? undefined : BREAKS[values.break]
  if (values.break !== undefined && broken === undefined) {
    throw new Error(`--break takes ${Object.keys(BREAKS).join(', ')}, not "${values.break}"`)
  }
  return { seed: Number(values.seed), broken: broken && { name: values.break ?? '', ...broken } }
}
