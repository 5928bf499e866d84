import { checkPlace, type PlaceOptions } from '../options.ts'
import { migrationSteps, preparation } from './sql.ts'

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
export function migrationSql(options?: PlaceOptions): string {
  const names = checkPlace('migrationSql', options)
  return `begin isolation level read committed;\n\n${preparation(names)}\n\n${migrationSteps(names)}\n\ncommit;\n`
}
