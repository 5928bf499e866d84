import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../../support/bundle.ts'
import { describeWith } from '../../support/services.ts'
import { ownSchema, URL } from './support.ts'

const SAGAS = 100

describeWith('postgres', 'a service on PostgreSQL', () => {
  const { schema, run } = ownSchema('kill')
  let program = ''
  let folder = ''
  beforeAll(async () => {
    program = await bundle(fileURLToPath(new globalThis.URL('./kill-program.ts', import.meta.url)))
    folder = await mkdtemp(join(tmpdir(), 'holdfast-kill-'))
  })
  afterAll(async () => {
    await rm(program, { force: true })
    await rm(folder, { recursive: true, force: true })
  })

  /** Runs one life of the service, killed at so many effects. Resolves with what it wrote. */
  async function live(effectsMax: number): Promise<string> {
    const child = spawn(process.execPath, [program, URL, schema, join(folder, 'books.txt'), String(SAGAS), String(effectsMax)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise<NodeJS.Signals | number | null>((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
    let written = ''
    for await (const chunk of child.stdout) written += chunk
    expect(await ended).toBe(effectsMax === Number.POSITIVE_INFINITY ? 0 : 'SIGKILL')
    return written
  }

  test('that is killed loses nothing, doubles nothing, and leaves nothing half done', { timeout: 90_000 }, async () => {
    for (const effects of [70, 160]) {
      await live(effects)
      // Nobody waits for the leases of the dead to run out here; that they do is the contract's own case.
      await run(`update "${schema}".saga_lease set until = now()`)
    }
    const { ready, states } = JSON.parse(await live(Number.POSITIVE_INFINITY)) as { ready: boolean; states: Record<string, string> }
    expect(ready).toBe(true)
    const books = (await readFile(join(folder, 'books.txt'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '))
    for (let id = 0; id < SAGAS; id++) {
      const undone = id % 5 === 0
      const steps = (what: string) => books.filter((words) => words[0] === what && words[1] === String(id)).map(([, , step]) => step)
      expect(states[`t${id}`]).toBe(undone ? 'undone' : 'done')
      // Each effect once in the books, although the books would take a second one under another key.
      expect(steps('do')).toEqual(undone ? ['flight', 'hotel'] : ['flight', 'hotel', 'charge', 'mail'])
      expect(steps('undo')).toEqual(undone ? ['hotel', 'flight'] : [])
    }
    const [sum] = await run(`select count(*)::int as records, count(distinct (saga, seq))::int as distinct from "${schema}".saga_record`)
    expect(sum?.records).toBe(sum?.distinct)
  })
})
