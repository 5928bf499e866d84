// npm run torture -- [--engine sqlite|postgres] [--driver pg|postgres.js] [--seconds 60] [--seed 1] [--writers 4] [--readers 2] [--actors 16]
// One long run. Ends with exit code 1 and the violations where there is one.
import { mkdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type OwnedTarget, postgresTarget, sqliteTarget } from './fresh.ts'
import { torture } from './torture.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    driver: { type: 'string', default: 'pg' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    writers: { type: 'string', default: '4' },
    readers: { type: 'string', default: '2' },
    actors: { type: 'string', default: '16' },
    streams: { type: 'string', default: '50' },
    joined: { type: 'string' },
    strike: { type: 'string', default: '300' },
  },
})

mkdirSync('.tmp', { recursive: true })
const fresh: OwnedTarget =
  values.engine === 'sqlite' ? sqliteTarget() : await postgresTarget(values.driver === 'postgres.js' ? 'postgres.js' : 'pg')
const joinedShare = Number(values.joined ?? (values.engine === 'sqlite' ? 0.01 : 0.05))
try {
  const report = await torture({
    target: fresh.target,
    seed: Number(values.seed),
    writers: Number(values.writers),
    readers: Number(values.readers),
    keepers: 2,
    actors: Number(values.actors),
    streams: Number(values.streams),
    joinedShare,
    lastsMs: Number(values.seconds) * 1_000,
    strikeEveryMs: Number(values.strike),
  })
  const { violations, ...figures } = report
  console.log(
    JSON.stringify(
      {
        engine: values.engine,
        driver: values.engine === 'sqlite' ? 'libsql' : values.driver,
        seed: values.seed,
        seconds: values.seconds,
        ...figures,
      },
      null,
      2,
    ),
  )
  for (const { promise, what } of violations) console.log(`VIOLATION of promise ${promise}: ${what}`)
  console.log(violations.length === 0 ? 'No violation.' : `${violations.length} violations.`)
  process.exitCode = violations.length === 0 ? 0 : 1
} finally {
  await fresh.remove()
  rmSync('.tmp/torture', { recursive: true, force: true })
}
