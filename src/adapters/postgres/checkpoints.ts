import { show } from '../../core/options.ts'
import type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../ports/checkpoints.ts'
import { checkPosition } from '../event-shared/condition.ts'
import { checkShort } from '../event-shared/event.ts'
import type { SqlRow, SqlRunner } from '../sql-shared/runner.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkName, checkWhole } from '../storage-shared/texts.ts'
import type { PgStatement } from './client/client.ts'
import { escaped, unescaped } from './escapes.ts'
import type { Names } from './names.ts'
import { patiently } from './patience.ts'
import { PgPort, type PgSession } from './session.ts'
import { statement } from './statement.ts'
import { asOpenTransaction } from './transactions/open-transaction.ts'

const NAME_MAX_BYTES = 512
const LIMIT = 100
const LIMIT_MAX = 1_000

const checkpointQueries = ({ of }: Names) => {
  const table = of('checkpoint')
  const columns = `name, position::text as position, incarnation, token::text as token, (extract(epoch from updated) * 1000)::float8::text as updated_ms`
  return {
    load: statement(`select ${columns} from ${table} where name = $1::text`),
    // Where it is refused because of what another transaction has just written, what is stored tells why.
    save: statement(`with moved as (
        update ${table} set position = $3::text::bigint, incarnation = $4::text, token = $5::text::bigint, updated = clock_timestamp()
        where name = $1::text and token <= $5::text::bigint
          and case when incarnation = $4::text then position = $2::text::bigint else $2::text::bigint = 0 end
        returning 1
      ), made as (
        insert into ${table} (name, position, incarnation, token, updated)
        select $1::text, $3::text::bigint, $4::text, $5::text::bigint, clock_timestamp()
        where $2::text::bigint = 0 and not exists (select 1 from ${table} where name = $1::text)
        on conflict (name) do nothing returning 1
      ) select ((select count(*) from moved) + (select count(*) from made))::text as saved`),
    list: statement(`select ${columns} from ${table} where $1::text is null or name > $1::text order by name limit $2::text::bigint`),
    delete: statement(`delete from ${table} where name = $1::text returning '1'`),
  }
}

type Query = (what: PgStatement, values: readonly (string | null)[]) => Promise<readonly SqlRow[]>

export class PgCheckpoints implements Checkpoints {
  readonly #port: PgPort
  readonly #queries

  constructor(session: PgSession) {
    this.#port = new PgPort(session)
    this.#queries = checkpointQueries(session.names)
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#port.open(signal)
  }

  async load(name: string, signal?: AbortSignal): Promise<Checkpoint | undefined> {
    this.#port.check('load', signal)
    checkName('load: name', name, NAME_MAX_BYTES)
    const [row] = await this.#port.query(this.#queries.load, [escaped(name)], { call: 'load', writes: false, signal })
    return row === undefined ? undefined : asCheckpoint(row)
  }

  async save(
    write: CheckpointWrite,
    { tx, signal }: { readonly tx?: unknown; readonly signal?: AbortSignal } = {},
  ): Promise<CheckpointVerdict> {
    this.#port.check('save', signal)
    checkWrite(write)
    if (tx !== undefined) return await this.#save(write, inside(await asOpenTransaction(tx, this.#port.session.how)))
    const call = { call: 'save', writes: true, signal }
    return await this.#save(write, (what, values) => patiently(this.#port.session.clock, () => this.#port.query(what, values, call)))
  }

  async #save(write: CheckpointWrite, query: Query): Promise<CheckpointVerdict> {
    const { name, from, to, incarnation, token } = write
    const values = [escaped(name), String(from), String(to), escaped(incarnation), String(token)]
    for (;;) {
      const [[saved] = []] = await query(this.#queries.save, values)
      if (saved === '1') return { ok: true }
      const [row] = await query(this.#queries.load, [escaped(name)])
      const stored = row === undefined ? undefined : asCheckpoint(row)
      const refused = refusal(write, stored)
      // Else it has changed in between, so that it would be accepted now.
      if (refused !== undefined) return { ok: false, reason: refused, stored }
    }
  }

  async list(
    filter: { readonly limit?: number; readonly afterName?: string; readonly signal?: AbortSignal } = {},
  ): Promise<readonly Checkpoint[]> {
    const { limit = LIMIT, afterName, signal } = filter
    this.#port.check('list', signal)
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX)
      throw invalidInput('list: limit', `a whole number from 1 to ${LIMIT_MAX}`, show(limit))
    if (afterName !== undefined) checkName('list: afterName', afterName, NAME_MAX_BYTES)
    const values = [afterName === undefined ? null : escaped(afterName), String(limit)]
    return (await this.#port.query(this.#queries.list, values, { call: 'list', writes: false, signal })).map(asCheckpoint)
  }

  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    this.#port.check('delete', signal)
    checkName('delete: name', name, NAME_MAX_BYTES)
    return (await this.#port.query(this.#queries.delete, [escaped(name)], { call: 'delete', writes: true, signal })).length > 0
  }

  async close(): Promise<void> {
    this.#port.close()
  }
}

const inside =
  (runner: SqlRunner): Query =>
  ({ text }, values) =>
    runner.query(text, values)

/** Why it is refused, as the port says; undefined where it is not. */
function refusal({ from, incarnation, token }: CheckpointWrite, stored: Checkpoint | undefined): 'fenced' | 'moved' | undefined {
  if (stored === undefined) return from === 0n ? undefined : 'moved'
  if (token < stored.token) return 'fenced'
  return (incarnation === stored.incarnation ? from === stored.position : from === 0n) ? undefined : 'moved'
}

const asCheckpoint = ([name, position, incarnation, token, updatedMs]: SqlRow): Checkpoint =>
  Object.freeze({
    name: unescaped(name ?? ''),
    position: BigInt(position ?? 0),
    incarnation: unescaped(incarnation ?? ''),
    token: Number(token),
    updatedEpochMs: Number(updatedMs),
  })

function checkWrite({ name, from, to, incarnation, token }: CheckpointWrite): void {
  checkName('save: name', name, NAME_MAX_BYTES)
  checkPosition('save: from', from)
  checkPosition('save: to', to)
  checkShort('save: incarnation', incarnation)
  checkWhole('save: token', token)
}
