// npm run bench -- --suite <name> [--case <text>] [--json]
// Bundles bench/<name>.bench.ts with the built package and runs it. Without --suite, every suite in turn. A missed target is shown, not failed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { filesBelow, root, runNode } from '../scripts/files.mjs'

const flags = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=256']
const suites = filesBelow('bench', '.bench.ts')
  .filter((file) => !file.includes('node_modules'))
  .map((file) => file.slice('bench/'.length, -'.bench.ts'.length))
const peers = Object.keys(JSON.parse(readFileSync(`${root}bench/peers/package.json`, 'utf8')).dependencies)

function parse() {
  const { values } = parseArgs({
    options: { suite: { type: 'string' }, case: { type: 'string' }, json: { type: 'boolean', default: false } },
  })
  if (values.suite !== undefined && !suites.includes(values.suite))
    throw new Error(`there is no suite "${values.suite}". There are: ${suites.join(', ')}`)
  return values
}

/** Peers are compared with, never depended on: installed when a suite that names them runs. */
function ensurePeers(suite) {
  const text = readFileSync(`${root}bench/${suite}.bench.ts`, 'utf8')
  const needed = peers.filter((peer) => text.includes(`'${peer}'`) && !existsSync(`${root}bench/peers/node_modules/${peer}`))
  if (needed.length === 0) return
  console.error(`Installing the peers to compare with (${needed.join(', ')} …)`)
  const { status } = spawnSync('npm', ['ci', '--prefix', 'bench/peers', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error('the peers could not be installed')
}

const resolvePeers = {
  name: 'peers',
  setup({ onResolve, resolve }) {
    onResolve({ filter: new RegExp(`^(?:${peers.join('|')})$`) }, ({ path, importer, kind }) =>
      importer.startsWith(`${root}bench/`) && !importer.includes('node_modules')
        ? resolve(path, { resolveDir: `${root}bench/peers`, kind, importer: '' })
        : undefined,
    )
  },
}

async function bundle(source, name) {
  const outfile = `${root}.tmp/bench/${name}.mjs`
  await build({
    entryPoints: [`${root}bench/${source}`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Without our tsconfig's paths: `holdfast` is what users get, dist/.
    tsconfigRaw: {},
    external: ['libsql', 'better-sqlite3', 'pg'],
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    plugins: [resolvePeers],
    logLevel: 'warning',
  })
  return outfile
}

try {
  const { suite: only, case: text, json } = parse()
  runNode(['scripts/build.mjs', '--if-stale'], { stdio: ['ignore', 2, 2] })
  mkdirSync(`${root}.tmp/bench`, { recursive: true })
  const main = await bundle('harness/main.ts', 'main')
  for (const suite of only ? [only] : suites) {
    ensurePeers(suite)
    const file = await bundle(`${suite}.bench.ts`, `${suite}.bench`)
    runNode([...flags, main, file, ...(text ? ['--case', text] : []), ...(json ? ['--json'] : [])], { label: `suite ${suite}` })
  }
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
}
