import { randomUUID } from 'node:crypto'
import { processes } from './eventstore/processes.ts'
import { emmett, eventOf, late, pool, postgres, rate, SCHEMA, type Store, sqlite, sqliteHasEvents } from './eventstore/shared.ts'
import { type Case, type Subject, suite } from './harness/suite.ts'

const CONCURRENT = [1, 10, 50, 200]
const LOG = 100_000
const STREAM = 1_000

const events = (count: number) => Array.from({ length: count }, (_, i) => eventOf(i))
const rows = new Map([1, 10].map((count) => [count, events(count)]))
const json = JSON.stringify(eventOf(0).data)

/** What is made of calls: how many there are in a second, or how long the slow ones take. */
type Figure = typeof rate

/** Each append is one to a stream of its own: nothing but the log is contended for. */
const appends = (store: () => Promise<Store>, count: number, concurrent: number, figure: Figure = rate): Subject => ({
  sample: async () => {
    const open = await store()
    const append = async () => {
      const [verdict] = await open.append([{ writes: [{ stream: randomUUID(), expect: 'none', events: rows.get(count) }] }])
      if (verdict?.result !== 'ok') throw new Error(`an append was answered ${verdict?.result}`)
    }
    return figure(concurrent, append, count)()
  },
})

const statement = (
  name: string,
  text: string,
  count: number,
  concurrent: number,
  values: () => unknown[],
  figure: Figure = rate,
): Subject => ({
  sample: async () => {
    const open = await pool()
    return figure(concurrent, () => open.query({ name: `${name} ${count}`, text, values: values() }), count)()
  },
})

/** One statement of so many rows, in a transaction of its own. */
const inserts = (count: number, concurrent: number, figure: Figure = rate): Subject => {
  const list = Array.from({ length: count }, (_, i) => `($1, ${i + 1}, $2, $3)`).join(', ')
  const text = `insert into ${SCHEMA}.raw (stream, version, type, data) values ${list}`
  return statement('insert', text, count, concurrent, () => [randomUUID(), 'ProductItemAdded', json], figure)
}

const stored = (count: number, concurrent: number): Subject => {
  const list = Array.from({ length: count }, () => json)
  return statement('append', `select ${SCHEMA}.append($1, $2, $3, $4)`, count, concurrent, () => [
    randomUUID(),
    0,
    'ProductItemAdded',
    list,
  ])
}

const peer = (count: number, concurrent: number): Subject => ({
  sample: async () => {
    const open = await emmett()
    return rate(concurrent, () => open.appendToStream(randomUUID(), events(count)), count)()
  },
})

let filled: Promise<void> | undefined
/** A log of 100 k events, once. */
const fill = (): Promise<void> => {
  filled ??= (async () => {
    const store = await postgres()
    const some = events(100)
    for (let i = 0; i < LOG / 1_000; i++)
      await store.append(Array.from({ length: 10 }, () => ({ writes: [{ stream: randomUUID(), expect: 'none', events: some }] })))
    await store.append([{ writes: [{ stream: 'long', expect: 'none', events: events(STREAM) }] }])
    await (await pool()).query(`analyze ${SCHEMA}.event`)
  })()
  return filled
}

const perSecond = async (read: () => Promise<number>): Promise<number> => {
  const startedMs = performance.now()
  const count = await read()
  return (count * 1_000) / (performance.now() - startedMs)
}

async function catchUp(): Promise<number> {
  await fill()
  const store = await postgres()
  return perSecond(async () => {
    let count = 0
    for await (const batch of store.readAll()) {
      count += batch.events.length
      if (count >= LOG) break
    }
    return count
  })
}

/** The same rows as columns, a thousand at a time, by their place. */
async function catchUpRows(): Promise<number> {
  await fill()
  const open = await pool()
  return perSecond(async () => {
    let [count, at] = [0, '0']
    while (count < LOG) {
      const text = `select position, stream, version, type, id, recorded_ms, data, metadata from ${SCHEMA}.event where position > $1 order by position limit 1000`
      const { rows } = await open.query({ name: 'rows', text, values: [at] })
      if (rows.length === 0) break
      count += rows.length
      at = rows[rows.length - 1].position
    }
    return count
  })
}

async function load(): Promise<number> {
  await fill()
  const store = await postgres()
  const one = async () => {
    for await (const _ of store.readStream('long'));
  }
  return rate(1, one, STREAM)()
}

let emmettFilled: Promise<unknown> | undefined
async function loadEmmett(): Promise<number> {
  const store = await emmett()
  emmettFilled ??= store.appendToStream('long', events(STREAM))
  await emmettFilled
  return rate(1, () => store.readStream('long'), STREAM)()
}

const name = (count: number, concurrent: number): string => `${count} event${count === 1 ? '' : 's'}, ${concurrent} at once`
const higher = { unit: '/s', better: 'higher' } as const
const combinations = [1, 10].flatMap((count) => CONCURRENT.map((concurrent) => ({ count, concurrent })))

/** What the baselines of a case are, and how much of them has to be reached. */
function aim(count: number, concurrent: number): Pick<Case, 'against' | 'target' | 'targets'> {
  const of = name(count, concurrent)
  const raw = `raw inserts, ${of}`
  const fn = `stored function, ${of}`
  const others = [`emmett, ${of}`]
  if (concurrent === 1) return { against: [fn, raw, ...others], ...(count === 1 && { target: { ratio: 0.8 } }) }
  const targets = concurrent === 50 && { targets: { [`emmett, ${of}`]: { ratio: count === 1 ? 10 : 4 } } }
  return {
    against: [raw, fn, ...others],
    ...(count === 1 && concurrent >= 50 && { target: { ratio: concurrent === 50 ? 2 : 2.5 } }),
    ...targets,
  }
}

export default suite('eventstore', {
  baselines: {
    ...Object.fromEntries(
      combinations.flatMap(({ count, concurrent }) => [
        [`raw inserts, ${name(count, concurrent)}`, inserts(count, concurrent)],
        [`stored function, ${name(count, concurrent)}`, stored(count, concurrent)],
        [`emmett, ${name(count, concurrent)}`, peer(count, concurrent)],
      ]),
    ),
    'rows by columns, 100k events': { sample: catchUpRows },
    'emmett, load, 1000-event stream': { sample: loadEmmett },
    'raw inserts, 50 processes x 1': { sample: processes('raw') },
    'raw inserts, p99 of 1 event, 50 at once': inserts(1, 50, late),
  },
  cases: [
    ...combinations.map(({ count, concurrent }) => ({
      name: `postgres, ${name(count, concurrent)}`,
      ...appends(postgres, count, concurrent),
      ...aim(count, concurrent),
      ...higher,
    })),
    ...(sqliteHasEvents ? combinations : []).map(({ count, concurrent }) => ({
      name: `sqlite, ${name(count, concurrent)}`,
      ...appends(sqlite, count, concurrent),
      against: [`raw inserts, ${name(count, concurrent)}`, `emmett, ${name(count, concurrent)}`],
      ...higher,
    })),
    {
      name: 'postgres, p99 of 1 event, 50 at once',
      ...appends(postgres, 1, 50, late),
      against: ['raw inserts, p99 of 1 event, 50 at once'],
      target: { ratio: 1 },
      unit: 'ms',
    },
    { name: 'postgres, 50 processes x 1', sample: processes('ours'), against: ['raw inserts, 50 processes x 1'], ...higher },
    { name: 'postgres, catch-up, 100k events', sample: catchUp, against: ['rows by columns, 100k events'], ...higher },
    { name: 'postgres, load, 1000-event stream', sample: load, against: ['emmett, load, 1000-event stream'], ...higher },
  ],
})
