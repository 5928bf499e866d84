import type { KeyEntry } from '../../../ports/key-value.ts'
import type { SqlRow } from '../../sql-shared/runner.ts'
import type { PgStatement } from '../client/client.ts'
import { unescaped } from '../escapes.ts'
import { literal, type Names } from '../names.ts'
import { statement } from '../statement.ts'

export interface KeyQueries {
  readonly get: PgStatement
  readonly gets: PgStatement
  readonly putAny: PgStatement
  readonly putNone: PgStatement
  readonly putOver: PgStatement
  readonly increment: PgStatement
  readonly delete: PgStatement
  readonly list: PgStatement
  readonly changes: PgStatement
  readonly prune: PgStatement
}

/** How long a deleted key's row stays for those who watch. */
const TOLD_FOR = "interval '10 minutes'"
const SAFE = Number.MAX_SAFE_INTEGER

/**
 * A row whose `until` has passed is no key: deleting is setting it to now. `xid` is the transaction that wrote the row last, by which watchers
 * find what has changed; revisions come from a sequence, so that none comes back.
 */
export function keyQueries({ of }: Names): KeyQueries {
  const table = of('key_value')
  const next = `nextval(${literal(of('revision'))}::regclass)`
  const entry = `key, value, revision::text, (extract(epoch from until - clock_timestamp()) * 1000)::float8::text`
  const alive = '(until is null or until > clock_timestamp())'
  const untilOf = (parameter: string) => `clock_timestamp() + ${parameter}::text::float8 * interval '1 millisecond'`
  const row = `insert into ${table} as k (key, value, revision, until, xid)
    values ($1::text, $2::text, ${next}, ${untilOf('$3')}, txid_current())`
  const replaced = `set value = excluded.value, revision = ${next}, until = ${untilOf('$3')}, xid = txid_current()`
  const isNumber = `case when k.value ~ '^(0|-?[1-9][0-9]{0,15})$' then
      abs(k.value::numeric) <= ${SAFE} and abs(k.value::numeric + excluded.value::numeric) <= ${SAFE} else false end`
  const over = 'k.until <= clock_timestamp()'
  return {
    get: statement(`select ${entry} from ${table} where key = $1::text and ${alive}`),
    gets: statement(`select ${entry} from ${table} where key = any ($1::text::text[]) and ${alive}`),
    putAny: statement(`${row} on conflict (key) do update ${replaced} returning revision::text`),
    putNone: statement(`${row} on conflict (key) do update ${replaced} where ${over} returning revision::text`),
    putOver: statement(`update ${table} set value = $2::text, revision = ${next}, until = ${untilOf('$3')}, xid = txid_current()
      where key = $1::text and revision = $4::text::bigint and ${alive} returning revision::text`),
    increment: statement(`${row} on conflict (key) do update set
      value = case when ${over} then excluded.value else (k.value::numeric + excluded.value::numeric)::text end,
      until = case when ${over} then ${untilOf('$3')} else k.until end, revision = ${next}, xid = txid_current()
      where case when ${over} then true else ${isNumber} end
      returning value, (extract(epoch from until - clock_timestamp()) * 1000)::float8::text`),
    delete: statement(`update ${table} set value = '', revision = ${next}, until = clock_timestamp(), xid = txid_current()
      where key = $1::text and ($2::text is null or revision = $2::text::bigint) and ${alive} returning '1'`),
    list: statement(`select ${entry} from ${table} where key >= $1::text and ($2::text is null or key < $2::text)
      and ($3::text is null or key > $3::text) and ${alive} order by key limit $4::text::bigint`),
    // What is not seen yet is of a transaction at or after the oldest that was at work when it was looked before.
    changes: statement(`select null, txid_snapshot_xmin(txid_current_snapshot())::text, extract(epoch from clock_timestamp())::text
      union all select key, revision::text, 'written' from ${table}
        where xid >= coalesce($1::text::bigint, txid_snapshot_xmin(txid_current_snapshot()))
      union all select key, revision::text, 'over' from ${table}
        where until > to_timestamp(coalesce($2::text::float8, extract(epoch from clock_timestamp())::float8) - 1) and until <= clock_timestamp()`),
    prune: statement(`delete from ${table} where key in (
      select key from ${table} where until < clock_timestamp() - ${TOLD_FOR} limit 5000 for update skip locked
    ) and until < clock_timestamp() - ${TOLD_FOR}`),
  }
}

/** Undefined where its time ended between being found and being read. */
export function asEntry([key, value, revision, remainingMs]: SqlRow): KeyEntry | undefined {
  if (typeof remainingMs === 'string' && Number(remainingMs) <= 0) return undefined
  return Object.freeze({
    key: unescaped(key ?? ''),
    value: unescaped(value ?? ''),
    revision: Number(revision),
    ...(typeof remainingMs === 'string' && { remainingMs: Number(remainingMs) }),
  })
}
