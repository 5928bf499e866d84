import { keyReadCases } from './key-value-read.ts'
import type { MakeKeyValue } from './key-value-stand.ts'
import { keyWatchCases } from './key-value-watch.ts'
import { keyWriteCases } from './key-value-write.ts'
import type { ContractCase } from './kit.ts'

export type { KeyValueStand, MakeKeyValue } from './key-value-stand.ts'

/**
 * What every `KeyValue` has to show, as data for any test runner: each case names the promise of the port that it cites.
 *
 * Of promise 10 it shows what all engines share; an engine that does not answer is the adapter's own test.
 *
 * @example
 * ```ts
 * for (const { promise, name, run } of keyValueContract) {
 *   test(`promise ${promise}: ${name}`, () => run(async () => ({ keyValue: () => open(url), passMs: sleep, close: drop })))
 * }
 * ```
 */
export const keyValueContract: readonly ContractCase<MakeKeyValue>[] = [...keyWriteCases, ...keyReadCases, ...keyWatchCases]
