import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Holdfast, SagaDefinition } from '../src/index.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const guide = readFileSync(join(root, 'docs/guides/quick-start.md'), 'utf8')

/** The code of the section with this number, word for word. */
function section(number: number): string {
  const code = new RegExp(`^\\*\\*${number}\\. [^]*?\`\`\`ts\\n([^]*?)\`\`\``, 'm').exec(guide)?.[1]
  if (code === undefined) throw new Error(`the quick start has no section ${number} with code`)
  return code
}

/** What the text takes for granted: the reader's own client, services, schema and Express application. */
const GIVEN = `
import express from 'express'
import { z } from 'zod'
import { declined, holdfast, saga } from 'holdfast'
import { healthRoutes, problemDetails, requestContext } from 'holdfast/express'
import { sqliteStorage } from 'holdfast/sqlite'

export const calls: string[] = []
const users = { find: async <T extends string>(id: T) => ({ id, name: 'Ann' }) }
const axios = { get: async (path: string, { signal }: { signal: AbortSignal }) => ({ data: path, aborted: signal.aborted }) }
const Order = z.object({ id: z.string(), items: z.array(z.string()) })
interface Deps {
  readonly inventory: { reserve(items: string[], key: string): Promise<{ rid: string }>; release(key: string): Promise<void> }
  readonly payments: { charge(id: string, key: string): Promise<{ id: string }> }
}
const deps: Deps = {
  inventory: {
    reserve: async (items, key) => (calls.push(\`reserve \${items.join()} \${key}\`), { rid: 'r1' }),
    release: async (key) => void calls.push(\`release \${key}\`),
  },
  payments: {
    charge: async (id, key) => {
      calls.push(\`charge \${key}\`)
      if (id === 'poor') throw declined('no money')
      return { id: \`p-\${id}\` }
    },
  },
}
const app = express()
// The text says 3000, which may be taken where this runs.
const listen = app.listen.bind(app)
app.listen = ((_port: number) => (server = listen(0, '127.0.0.1'))) as typeof app.listen
export let server: ReturnType<typeof app.listen>
`

const folder = join(root, '.tmp')
mkdirSync(folder, { recursive: true })
const here = mkdtempSync(join(folder, 'quick-start-'))
const file = join(here, 'quick-start.ts')
writeFileSync(file, `${GIVEN}${section(1)}${section(2)}${section(3)}\nexport { findUser, flow, hf, user }\n`)
afterAll(() => rmSync(here, { recursive: true, force: true }))

test('sections 1 to 3 compile', () => {
  const config = { extends: '../../tsconfig.json', include: [relative(here, file)] }
  writeFileSync(join(here, 'tsconfig.json'), JSON.stringify(config))
  let problems = ''
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/ts7/bin/tsc'), '-p', here, '--noEmit'], { cwd: root, encoding: 'utf8' })
  } catch (error) {
    // What is wrong in the library's own sources is for the type check of the sources to say; their lines and what is indented below.
    problems = (error as { stdout: string }).stdout.replace(/^src\/.*\n(?: .*\n)*/gm, '')
  }
  expect(problems).toBe('')
}, 30_000)

interface QuickStart {
  readonly calls: string[]
  readonly user: unknown
  readonly findUser: (id: string) => Promise<unknown>
  readonly fetchInventory: typeof fetch
  readonly flow: SagaDefinition<unknown, { paymentId: string }>
  readonly hf: Holdfast
  readonly server: Server
}

describe('sections 1 to 3 run', () => {
  const cwd = process.cwd()
  let started: QuickStart
  let url: string

  beforeAll(async () => {
    // './holdfast.db' lies where the reader's service runs.
    process.chdir(here)
    started = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as QuickStart
    if (!started.server.listening) await once(started.server, 'listening')
    url = `http://127.0.0.1:${(started.server.address() as AddressInfo).port}`
  }, 30_000)

  afterAll(async () => {
    await started?.hf.stop()
    process.chdir(cwd)
  })

  const order = (id: string) =>
    fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, items: ['book'] }),
    })

  test('1: calls are guarded and keep their answers', async () => {
    expect(started.user).toEqual({ data: '/users/1', aborted: false })
    expect(await started.findUser('7')).toEqual({ id: '7', name: 'Ann' })
    expect(await (await started.fetchInventory(`${url}/livez`)).json()).toEqual({ live: true })
  })

  test('2 and 3: an order is taken, done once, and the same id is the same saga', async () => {
    const { hf, flow, calls } = started
    const answers = [await order('o1'), await order('o1')]
    expect(await Promise.all(answers.map(async (answer) => [answer.status, await answer.json()]))).toEqual([
      [202, { id: 'o1' }],
      [202, { id: 'o1' }],
    ])
    expect(await hf.sagas.get(flow, 'o1').result()).toEqual({ paymentId: 'p-o1' })
    expect(calls.splice(0).map((call) => call.split(' ')[0])).toEqual(['reserve', 'charge'])
  })

  test('2: what is declined is undone with the key of what it undoes', async () => {
    const { hf, flow, calls } = started
    await order('poor')
    await expect(hf.sagas.get(flow, 'poor').result()).rejects.toMatchObject({ code: 'SAGA_UNDONE' })
    const [reserve, charge, release] = calls.splice(0).map((call) => call.split(' '))
    expect([reserve?.[0], charge?.[0], release?.[0]]).toEqual(['reserve', 'charge', 'release'])
    expect(release?.at(-1)).toBe(reserve?.at(-1))
  })

  test('3: it is ready, and an invalid order is a 400', async () => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"o9"}' })
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'INVALID_INPUT', errors: [{ path: 'items' }] }])
  })
})
