import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../support/bundle.ts'
import { describeWith } from '../support/services.ts'

const SAGAS = 120

describeWith('libsql', 'a service on SQLite', () => {
  let program = ''
  let folder = ''
  beforeAll(async () => {
    program = await bundle(fileURLToPath(new URL('./kill-program.ts', import.meta.url)))
    folder = await mkdtemp(join(tmpdir(), 'holdfast-kill-'))
  })
  afterAll(async () => {
    await rm(program, { force: true })
    await rm(folder, { recursive: true, force: true })
  })

  /** Runs one life of the service, killed at so many effects. Resolves with what it wrote. */
  async function live(name: string, effectsMax: number): Promise<string> {
    const args = [program, join(folder, `${name}.db`), join(folder, `${name}.txt`), String(SAGAS), String(effectsMax)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<NodeJS.Signals | number | null>((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
    let written = ''
    for await (const chunk of child.stdout) written += chunk
    expect(await ended).toBe(effectsMax === Number.POSITIVE_INFINITY ? 0 : 'SIGKILL')
    return written
  }

  test.each([
    ['early', [1, 5]],
    ['amid the steps', [70, 150]],
    ['amid the undos', [130, 200, 30]],
  ])('that is killed %s loses nothing, doubles nothing, and leaves nothing half done', { timeout: 60_000 }, async (name, kills) => {
    for (const effects of kills) await live(name, effects)
    const states = JSON.parse(await live(name, Number.POSITIVE_INFINITY)) as Record<string, string>
    const books = (await readFile(join(folder, `${name}.txt`), 'utf8')).trimEnd().split('\n')
    const of = (id: number) => books.map((line) => line.split(' ')).filter((words) => words[1] === String(id))
    for (let id = 0; id < SAGAS; id++) {
      const undone = id % 5 === 0
      const done = of(id)
        .filter(([what]) => what === 'do')
        .map(([, , step]) => step)
      const back = of(id)
        .filter(([what]) => what === 'undo')
        .map(([, , step]) => step)
      expect(states[`t${id}`]).toBe(undone ? 'undone' : 'done')
      // Each effect once in the books, although the books would take a second one under another key.
      expect(done).toEqual(undone ? ['flight', 'hotel'] : ['flight', 'hotel', 'charge', 'mail'])
      expect(back).toEqual(undone ? ['hotel', 'flight'] : [])
    }
  })
})
