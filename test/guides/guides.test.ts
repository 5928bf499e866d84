import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatWithOptions } from 'node:util'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { describeWith } from '../support/services.ts'
import { promisedOutput, root, type Snippet, snippetsOf } from './snippets.ts'

const guides = [
  'choosing-policies.md',
  'tuning.md',
  'from-opossum.md',
  'from-cockatiel.md',
  'event-store.md',
  'choosing-a-storage.md',
  'transactions.md',
  'operating-postgres.md',
]
const snippets = guides.flatMap((guide) => snippetsOf(guide))

const folder = join(root, '.tmp')
mkdirSync(folder, { recursive: true })
const here = mkdtempSync(join(folder, 'guides-'))
afterAll(() => rmSync(here, { recursive: true, force: true }))

const nameOf = ({ guide, line }: Snippet): string => `${guide.replace('.md', '')}-${line}.ts`
for (const snippet of snippets) writeFileSync(join(here, nameOf(snippet)), `${snippet.code}\nexport {}\n`)

test('every snippet of the guides compiles as a module of its own', () => {
  copyFileSync(join(root, 'test/guides/given.d.ts'), join(here, 'given.d.ts'))
  // A reader's snippet may name what it does not use; nothing else is eased.
  const config = { extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false }, include: ['*.ts'] }
  writeFileSync(join(here, 'tsconfig.json'), JSON.stringify(config))
  let problems = ''
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/ts7/bin/tsc'), '-p', here, '--noEmit'], { encoding: 'utf8' })
  } catch (error) {
    problems = (error as { stdout: string }).stdout
  }
  expect(problems).toBe('')
}, 60_000)

const printing = (needed: Snippet['needs']) => (): void => {
  afterEach(() => vi.restoreAllMocks())

  for (const snippet of snippets.filter(({ runs, needs }) => runs && needs === needed))
    test(`${snippet.guide}, line ${snippet.line}`, async () => {
      const printed: string[] = []
      vi.spyOn(console, 'log').mockImplementation((...given: unknown[]) => {
        printed.push(formatWithOptions({ breakLength: Number.POSITIVE_INFINITY }, ...given))
      })
      await import(/* @vite-ignore */ pathToFileURL(join(here, nameOf(snippet))).href)
      expect(printed).toEqual(promisedOutput(snippet.code))
      expect(printed).not.toEqual([])
    })
}

describe('a snippet that runs prints what its comments say', printing(undefined))
describeWith('postgres', 'a snippet that runs on PostgreSQL prints what its comments say', printing('postgres'))

test('every guide has snippets, and every promise of output stands in one that runs', () => {
  for (const guide of guides) expect(snippets.filter((snippet) => snippet.guide === guide)).not.toEqual([])
  expect(snippets.filter(({ runs, code }) => !runs && promisedOutput(code).length > 0)).toEqual([])
})
