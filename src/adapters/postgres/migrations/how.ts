import type { Place } from '../names.ts'

/** What whoever finds the tables missing or old can do about it, ready to be pasted. */
export function howToMigrate({ schema, prefix }: Place): string {
  const given = Object.entries({ ...(schema !== 'holdfast' && { schema }), ...(prefix !== '' && { prefix }) })
  const options = given.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', ')
  const command = ['npx holdfast migrate', ...given.map(([name, value]) => `--${name}=${shellWord(value)}`)].join(' ')
  return `run ${command}, call migrate() of the storage, or run the SQL of migrationSql(${options === '' ? '' : `{ ${options} }`})`
}

const shellWord = (text: string): string => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
