import { asNumber, asText, type Connection, kept, type Prepared } from '../connection.ts'

/** The statements that write and look up, prepared once for each connection: ours, or that of a user's transaction. */
export interface LogStatements {
  readonly connection: Connection
  readonly head: Prepared
  readonly incarnation: Prepared
  readonly setIncarnation: Prepared
  readonly setHead: Prepared
  readonly stream: Prepared
  readonly addStream: Prepared
  readonly moveStream: Prepared
  readonly type: Prepared
  readonly addType: Prepared
  readonly addEvent: Prepared
  readonly addTag: Prepared
  readonly eventAt: Prepared
  readonly key: Prepared
  readonly addKey: Prepared
  readonly dropKey: Prepared
  readonly oldestKey: Prepared
  readonly purgeKeys: Prepared
  /** Prepared when first needed, by their text: there are as many as a query may have shapes. */
  readonly selections: Map<string, Prepared>
}

export const prepareLog = (connection: Connection): LogStatements => ({
  connection,
  head: connection.prepare("select value from holdfast_counter where name = 'position'"),
  incarnation: connection.prepare("select value from holdfast_meta where key = 'incarnation'"),
  setIncarnation: connection.prepare("update holdfast_meta set value = ? where key = 'incarnation'"),
  setHead: connection.prepare("update holdfast_counter set value = ? where name = 'position'"),
  stream: connection.prepare('select number, version, kept_from, state from holdfast_stream where tenant = ? and name = ?'),
  addStream: connection.prepare(
    'insert into holdfast_stream (tenant, name, version, kept_from, state, to_purge) values (?, ?, ?, 1, ?, 0) returning number',
  ),
  moveStream: connection.prepare('update holdfast_stream set version = ? where number = ?'),
  type: connection.prepare('select number from holdfast_event_type where name = ?'),
  addType: connection.prepare('insert into holdfast_event_type (name) values (?) returning number'),
  addEvent: connection.prepare(
    `insert into holdfast_event (position, stream, version, type, size, recorded_ms, id, tags, metadata, data)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  addTag: connection.prepare('insert into holdfast_event_tag (tenant, tag, position) values (?, ?, ?)'),
  eventAt: connection.prepare('select id, recorded_ms from holdfast_event where position = ?'),
  key: connection.prepare(
    'select number, hash, versions, position, mark, recorded_ms from holdfast_append_key where tenant = ? and key = ?',
  ),
  addKey: connection.prepare(
    'insert into holdfast_append_key (tenant, key, hash, versions, position, mark, recorded_ms) values (?, ?, ?, ?, ?, ?, ?)',
  ),
  dropKey: connection.prepare('delete from holdfast_append_key where number = ?'),
  oldestKey: connection.prepare('select recorded_ms from holdfast_append_key order by number limit 1'),
  purgeKeys: connection.prepare(
    `delete from holdfast_append_key where recorded_ms < ? and number in
     (select number from holdfast_append_key order by number limit ?)`,
  ),
  selections: new Map(),
})

/** The last position given. */
export const headIn = (log: LogStatements): number => asNumber(kept(log.connection, log.head.get(), 'the counter of positions'))
export const incarnationIn = (log: LogStatements): string =>
  asText(kept(log.connection, log.incarnation.get(), 'the incarnation of the log'))

/** A statement of a shape that is not always the same. */
export function selection(log: LogStatements, sql: string): Prepared {
  const known = log.selections.get(sql)
  if (known !== undefined) return known
  const prepared = log.connection.prepare(sql)
  log.selections.set(sql, prepared)
  return prepared
}
