import { type ChildProcess, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../../../support/bundle.ts'
import { describeWith } from '../../../support/services.ts'
import { URL as SERVER, until } from '../support.ts'
import { bench, expectSound, logOf } from './support.ts'

describeWith('postgres', 'event stores of several processes', () => {
  const { schema, store, run } = bench('processes')
  const children: ChildProcess[] = []
  let program = ''
  beforeAll(async () => {
    program = await bundle(fileURLToPath(new URL('./append-program.ts', import.meta.url)))
  })
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(program, { force: true })
  })

  /** What it has acknowledged so far: key and place. */
  function start(name: string, driver: string): { child: ChildProcess; acknowledged: Map<string, string>; closed: Promise<unknown> } {
    const child = spawn(process.execPath, [program, SERVER, schema, driver, name], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const acknowledged = new Map<string, string>()
    let rest = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) acknowledged.set(...(line.split('@') as [string, string]))
    })
    return { child, acknowledged, closed: new Promise((resolve) => child.once('close', resolve)) }
  }

  test('rule 7: processes and connections are killed amid batches, and the log has what was acknowledged, once, and no gap', async () => {
    const [killed, ...living] = [start('a', 'pg'), start('b', 'pg'), start('c', 'postgres.js')] as [
      ReturnType<typeof start>,
      ...ReturnType<typeof start>[],
    ]
    const all = [killed, ...living]
    for (let round = 1; round <= 3; round++) {
      const want = all.map(({ acknowledged }) => acknowledged.size + 40)
      await until('they append', () => all.every(({ acknowledged }, i) => acknowledged.size >= (want[i] ?? 0)))
      await run('select pg_terminate_backend(pid) from pg_stat_activity where query like $1 and pid <> pg_backend_pid()', [
        `%${schema}%event_append%`,
      ])
    }
    killed.child.kill('SIGKILL')
    await killed.closed
    const want = living.map(({ acknowledged }) => acknowledged.size + 40)
    await until('the others go on', () => living.every(({ acknowledged }, i) => acknowledged.size >= (want[i] ?? 0)))
    for (const { child } of living) child.stdin?.write('stop')
    expect(await Promise.all(living.map(({ closed }) => closed))).toEqual([0, 0])
    const reader = store()
    await reader.open()
    const events = await logOf(reader)
    expectSound(events)
    const places = new Map(events.map(({ data, position }) => [String(data), String(position)]))
    expect(places.size).toBe(events.length)
    for (const { acknowledged } of all) for (const [key, position] of acknowledged) expect([key, places.get(key)]).toEqual([key, position])
    await reader.close()
  }, 60_000)
})
