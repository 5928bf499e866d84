import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { rawQuery, texts, type Unsafe } from '../client/postgres-js-raw.ts'
import { watched } from '../client/wires.ts'
import { closedBefore } from '../errors.ts'

/** A transaction of somebody's client, by what can be done with it. Errors are still the client's own. */
export interface Recognised {
  readonly kind: string
  readonly send: (text: string, values: readonly SqlText[]) => Promise<readonly SqlRow[]>
  /** What the client itself knows of its transaction: undefined where it has to be asked for. */
  readonly open: () => boolean | undefined
}

type Found = Readonly<Record<string, unknown>>

const has = (tx: Found, ...methods: readonly string[]): boolean => methods.every((name) => typeof tx[name] === 'function')

/** Undefined for whatever is no transaction of a client that is known here. By shape alone: nothing is imported, nothing sent. */
export function recognise(tx: unknown): Recognised | undefined {
  if ((typeof tx !== 'object' && typeof tx !== 'function') || tx === null) return undefined
  const found = tx as Found
  if (typeof tx === 'function')
    return has(found, 'unsafe', 'savepoint') && !has(found, 'begin') ? ofPostgresJs(found as { readonly unsafe: never }) : undefined
  if (has(found, 'query', 'escapeIdentifier') && typeof found.totalCount !== 'number') return ofPg(found as unknown as PgLike)
  if (has(found, 'rollback') && typeof found.nestedIndex === 'number') return ofDrizzle(found)
  if (has(found, 'executeQuery') && found.isTransaction === true) return ofKysely(found as unknown as KyselyLike)
  // Only the client itself connects; transactions of Prisma 7 have a `$transaction`, too.
  if (has(found, '$queryRawUnsafe') && !has(found, '$connect')) return ofPrisma(found as unknown as PrismaLike)
  return undefined
}

interface PgLike {
  query(config: unknown): Promise<{ readonly rows: readonly SqlRow[] }>
  getTransactionStatus?(): unknown
  readonly readyForQuery?: unknown
}

const rawTexts = { getTypeParser: () => (value: unknown) => (Buffer.isBuffer(value) ? value.toString('utf8') : value) }

const ofPg = (client: PgLike): Recognised => ({
  kind: 'a client of pg',
  send: async (text, values) => (await client.query({ text, values: [...values], rowMode: 'array', types: rawTexts })).rows,
  open: () => {
    const status = client.getTransactionStatus?.()
    if (status === undefined) return undefined
    if (status !== 'T') return false
    // What is on its way may be a COMMIT.
    return client.readyForQuery === true ? true : undefined
  },
})

const ofPostgresJs = (inner: { readonly unsafe: Unsafe }): Recognised => {
  const wire = watched(inner)
  return {
    kind: 'an sql of postgres.js',
    send: async (text, values) => {
      if (wire.isOver) throw closedBefore()
      const answer = texts(rawQuery(inner.unsafe, text, [...values], false))
      answer.catch(() => {})
      // The user's COMMIT is what decides about what is written here.
      await wire.watchCommit()
      if (wire.isOver) throw closedBefore()
      return await answer
    },
    open: () => (wire.isOver ? false : undefined),
  }
}

function ofDrizzle(tx: Found): Recognised | undefined {
  const { session } = tx as { readonly session?: { readonly client?: unknown } }
  const below = recognise(session?.client)
  return below && { ...below, kind: `a Drizzle transaction on ${below.kind}` }
}

interface KyselyLike {
  executeQuery(query: unknown): Promise<{ readonly rows: readonly object[] }>
}

/** Rows come as objects there, so the columns of a statement have to have names of their own. */
const ofKysely = (tx: KyselyLike): Recognised => ({
  kind: 'a Kysely transaction',
  send: async (sql, parameters) => {
    const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] }
    const { rows } = await tx.executeQuery({ sql, parameters: [...parameters], query, queryId: { queryId: 'holdfast' } })
    return rows.map(inOrder)
  },
  open: () => undefined,
})

interface PrismaLike {
  $queryRawUnsafe(text: string, ...values: readonly unknown[]): Promise<readonly object[]>
}

const ofPrisma = (tx: PrismaLike): Recognised => ({
  kind: 'a Prisma transaction',
  send: async (text, values) => (await tx.$queryRawUnsafe(text, ...values)).map(inOrder),
  open: () => undefined,
})

const inOrder = (row: object): SqlRow => Object.values(row).map((value: unknown) => (value === null ? null : String(value)))
