// One rule of the mechanics at a time, taken out of a database of PostgreSQL: what the checker has to find then.
import pg from 'pg'

export interface Tooth {
  /** The rule, as the design numbers it. */
  readonly rule: number
  readonly without: string
  /** Statements that take it out; `$SCHEMA` is the schema. */
  readonly sql?: readonly string[]
  /** What of the function that appends is replaced by what. */
  readonly append?: readonly (readonly [string, string])[]
  /** One of these promises has to be found broken. */
  readonly promises: readonly number[]
}

export const teeth: readonly Tooth[] = [
  {
    rule: 1,
    without: 'joined events are not given their places before those of a batch',
    append: [['if pending then', 'if false then']],
    promises: [3],
  },
  {
    rule: 2,
    without: 'a batch waits for whoever holds a stream',
    append: [['for update skip locked', 'for update']],
    promises: [1, 5],
  },
  {
    rule: 3,
    without: 'a request does not see what was accepted before it in its batch',
    append: [['if not (x = v or', 'if not (s_moved[k] or x = v or']],
    promises: [2],
  },
  {
    rule: 6,
    without: 'a write leaves the rows of its tags as they are',
    append: [['and not t_fresh[u.tag];', 'and not t_fresh[u.tag] and false;']],
    promises: [5],
  },
  {
    rule: 9,
    without: 'a checkpoint forgets under which token it was moved',
    sql: [
      `create function $SCHEMA.forget() returns trigger language plpgsql as $body$ begin new.token := 0; return new; end $body$`,
      `create trigger forget before insert or update on $SCHEMA.checkpoint for each row execute function $SCHEMA.forget()`,
    ],
    promises: [1],
  },
]

/** Takes the rule out; rejects where the text it would replace is not there (any more). */
export async function pull({ sql = [], append = [] }: Tooth, url: string, schema: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of sql) await client.query(statement.replaceAll('$SCHEMA', schema))
    const { rows } = await client.query(
      `select pg_get_functiondef(p.oid) as text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1 and p.proname = 'event_append'`,
      [schema],
    )
    for (const [from, to] of append) {
      const text = String(rows[0]?.text)
      if (!text.includes(from)) throw new Error(`event_append has no «${from}»`)
      await client.query(text.replaceAll(from, to))
    }
  } finally {
    await client.end()
  }
}
