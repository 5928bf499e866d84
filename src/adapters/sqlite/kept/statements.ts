import { asNumber, type Connection, type Prepared, texts, kept as there } from '../connection.ts'

/** The statements of keys, names, hints and checkpoints, prepared once for each connection. */
export interface KeptStatements {
  readonly connection: Connection
  readonly dataVersion: Prepared
  readonly totalChanges: Prepared
  /** The next number of a row of numbers that never repeats. */
  readonly next: Prepared
  readonly counter: Prepared
  readonly raise: Prepared

  readonly value: Prepared
  readonly putValue: Prepared
  readonly dropValue: Prepared
  readonly values: Prepared
  readonly changedKeys: Prepared
  readonly endedValues: Prepared
  readonly addGone: Prepared
  readonly oldestGone: Prepared
  readonly dropGone: Prepared

  readonly holder: Prepared
  readonly hold: Prepared
  readonly prolong: Prepared
  readonly free: Prepared
  readonly holders: Prepared
  readonly purgeNames: Prepared

  readonly hint: Prepared
  readonly addHint: Prepared
  readonly purgeHints: Prepared

  readonly checkpoint: Prepared
  readonly checkpoints: Prepared
  readonly saveCheckpoint: Prepared
  readonly dropCheckpoint: Prepared
}

type Counter = 'revision' | 'revision_gone' | 'token' | 'hint'

export const counterIn = ({ connection, counter }: KeptStatements, name: Counter): number =>
  asNumber(there(connection, counter.get(name), `the counter ${name}`))
/** Counts one on. */
export const nextIn = ({ connection, next }: KeptStatements, name: Counter): number =>
  asNumber(there(connection, next.get(name), `the counter ${name}`))

/** Positions go as text: drivers round large integers, or refuse them. */
const CHECKPOINT = `${texts('name', 'incarnation')}, cast(position as text) as position, token, updated_ms`
const VALUE = `${texts('key', 'value')}, revision, until_ms`

export const prepareKept = (connection: Connection): KeptStatements => {
  const prepare = (sql: string): Prepared => connection.prepare(sql)
  return {
    connection,
    dataVersion: prepare('pragma data_version'),
    totalChanges: prepare('select total_changes() as n'),
    next: prepare('update holdfast_counter set value = value + 1 where name = ? returning value'),
    counter: prepare('select value from holdfast_counter where name = ?'),
    raise: prepare('update holdfast_counter set value = max(value, ?) where name = ?'),
    ...valueStatements(prepare),
    ...nameStatements(prepare),
    hint: prepare('select number from holdfast_hint where topic = ?'),
    addHint: prepare(
      `insert into holdfast_hint (topic, number, hinted_ms) values (?, ?, ?)
       on conflict (topic) do update set number = excluded.number, hinted_ms = excluded.hinted_ms`,
    ),
    purgeHints: prepare('delete from holdfast_hint where hinted_ms < ?'),
    checkpoint: prepare(`select ${CHECKPOINT} from holdfast_checkpoint where name = ?`),
    checkpoints: prepare(
      `select ${CHECKPOINT} from holdfast_checkpoint where holdfast_checkpoint.name > ? order by holdfast_checkpoint.name limit ?`,
    ),
    saveCheckpoint: prepare(
      `insert into holdfast_checkpoint (name, position, incarnation, token, updated_ms) values (?, cast(? as integer), ?, ?, ?)
       on conflict (name) do update set position = excluded.position, incarnation = excluded.incarnation, token = excluded.token,
       updated_ms = excluded.updated_ms`,
    ),
    dropCheckpoint: prepare('delete from holdfast_checkpoint where name = ? returning 1 as there'),
  }
}

const valueStatements = (prepare: (sql: string) => Prepared) => ({
  value: prepare(`select ${VALUE} from holdfast_key_value where key = ?`),
  putValue: prepare(
    `insert into holdfast_key_value (key, value, revision, until_ms) values (?, ?, ?, ?)
     on conflict (key) do update set value = excluded.value, revision = excluded.revision, until_ms = excluded.until_ms`,
  ),
  dropValue: prepare('delete from holdfast_key_value where key = ?'),
  values: prepare(
    `select ${VALUE} from holdfast_key_value where holdfast_key_value.key >= ? and holdfast_key_value.key > ?
     and (until_ms is null or until_ms > ?) order by holdfast_key_value.key limit ?`,
  ),
  changedKeys: prepare(
    `select key, revision from (select ${texts('key')}, revision from holdfast_key_value where revision > ?
     union all select ${texts('key')}, revision from holdfast_key_gone where revision > ?) order by revision limit ?`,
  ),
  endedValues: prepare(`select ${texts('key')} from holdfast_key_value where until_ms <= ? order by until_ms limit ?`),
  addGone: prepare('insert into holdfast_key_gone (revision, key, gone_ms) values (?, ?, ?)'),
  oldestGone: prepare('select revision, gone_ms from holdfast_key_gone order by revision limit ?'),
  dropGone: prepare('delete from holdfast_key_gone where revision <= ?'),
})

const NAME = `${texts('name', 'owner')}, token, until_ms`

const nameStatements = (prepare: (sql: string) => Prepared) => ({
  holder: prepare(`select ${NAME} from holdfast_name where name = ?`),
  hold: prepare(
    `insert into holdfast_name (name, owner, token, until_ms) values (?, ?, ?, ?)
     on conflict (name) do update set owner = excluded.owner, token = excluded.token, until_ms = excluded.until_ms`,
  ),
  prolong: prepare('update holdfast_name set until_ms = ? where name = ?'),
  free: prepare('delete from holdfast_name where name = ?'),
  holders: prepare(
    `select ${NAME} from holdfast_name where holdfast_name.name >= ? and holdfast_name.name > ? and until_ms > ?
     order by holdfast_name.name limit ?`,
  ),
  purgeNames: prepare(
    'delete from holdfast_name where name in (select name from holdfast_name where until_ms <= ? order by until_ms limit ?)',
  ),
})
