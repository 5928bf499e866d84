import { checkPlace, type PlaceOptions } from '../options.ts'
import { migrationSteps } from './sql.ts'

/**
 * The SQL that creates or upgrades the tables of `postgresStorage`, for those who apply it with a tool or a role of their own
 * (`psql -v ON_ERROR_STOP=1 -f …`).
 *
 * One transaction, safe to run again and by several at once: what is there already stays as it is, and a schema that a newer version wrote is
 * refused. Nothing is sent anywhere.
 *
 * @param options
 * - `schema`: default `holdfast`; created where it is missing. `prefix`: default none.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * writeFileSync('holdfast.sql', migrationSql({ schema: 'holdfast' }))
 * ```
 */
export const migrationSql = (options?: PlaceOptions): string =>
  `begin isolation level read committed;\n\n${migrationSteps(checkPlace('migrationSql', options))}\n\ncommit;\n`
