import { dollars, literal, type Names } from '../names.ts'
import { migrations, VERSION } from './index.ts'
import type { Migration } from './migration.ts'

/** Who migrates the same place waits for each other, in whatever database client. */
const lockOf = ({ place }: Names): string =>
  `select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${literal(`holdfast migrate ${place.schema} ${place.prefix}`)}, 0));`

/**
 * `create schema if not exists` would ask for the right to create one also where it is there. What is missing is looked for by name, not
 * tried out, so that a role without that right can migrate what an administrator has prepared.
 */
const prepared = (names: Names): string =>
  block(`
begin
  if pg_catalog.to_regnamespace(${literal(names.schema)}) is null then
    create schema ${names.schema};
  end if;
  if pg_catalog.to_regclass(${literal(names.of('meta'))}) is null then
    create table ${names.of('meta')} (key text primary key, value text not null);
    insert into ${names.of('meta')} (key, value) values ('application', 'holdfast'), ('schema', '0');
  end if;
end`)

const block = (body: string): string => `do ${dollars(body)};`

function step(names: Names, { version, name, sql }: Migration): string {
  const meta = names.of('meta')
  return `-- ${version}: ${name}
${block(`
begin
  if (select value::bigint from ${meta} where key = 'schema') = ${version - 1} then
    execute ${dollars(sql(names))};
    update ${meta} set value = '${version}' where key = 'schema';
  end if;
end`)}`
}

const notOurs = (names: Names): string =>
  block(`
declare
  stored text;
begin
  if (select value from ${names.of('meta')} where key = 'application') is distinct from 'holdfast' then
    raise exception using errcode = 'HF001', message = 'it has a table meta that holdfast did not make';
  end if;
  select value into stored from ${names.of('meta')} where key = 'schema';
  if stored is null or stored !~ '^[0-9]{1,9}$' then
    raise exception using errcode = 'HF001', message = 'its schema version is ' || coalesce(stored, 'missing');
  end if;
  if stored::bigint > ${VERSION} then
    raise exception using errcode = 'HF002', message = 'a newer version of holdfast wrote it (schema ' || stored || ', this one knows ${VERSION})';
  end if;
end`)

/** Takes the lock, makes sure of `meta`, and refuses what is not ours. Part of a transaction, as are the steps. */
export const preparation = (names: Names): string => [lockOf(names), prepared(names), notOurs(names)].join('\n\n')

/** Each does nothing where its version is there. */
export const migrationSteps = (names: Names): string => migrations.map((migration) => step(names, migration)).join('\n\n')
