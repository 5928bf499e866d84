// Installs the packed package the way users do and runs small programs on it: CommonJS, ES modules, TypeScript (node16 and bundler
// resolution, oldest and newest compiler), Jest's defaults, an esbuild bundle, README's first example, the command. `--keep` leaves the folder.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, transform } from 'esbuild'
import { root } from './files.mjs'
import { pack } from './pack.mjs'

/** zod alone takes 6.3 MB of it: see docs/adr/0010. */
const installMaxBytes = 10_000_000
// Outside the repository: there a dependency that is not declared would be found in our own node_modules.
const home = mkdtempSync(join(tmpdir(), 'holdfast-consumers-'))
const plain = join(home, 'plain')
const tools = join(home, 'tools')

function run(cwd, program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 180_000,
    env: { ...process.env, NO_COLOR: '1', HOLDFAST_BUILD: root },
  })
  if (error || status !== 0)
    throw new Error(`${[program, ...args].join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stdout}${stderr}`)
  return stdout.trim().split('\n').at(-1)
}
const node = (cwd, ...args) => run(cwd, process.execPath, ...args)
const bytesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

function install(folder, manifest, tarball) {
  cpSync(join(root, 'test/consumers/programs'), folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  run(folder, 'npm', 'install', tarball, '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error')
}

/** Compiles types/guard.ts, once as an ES module and once as CommonJS where the resolution tells them apart. */
function compile(compiler, options, copies = ['guard.mts', 'guard.cts'], files = copies) {
  for (const file of copies) cpSync(join(root, 'test/consumers/types/guard.ts'), join(tools, file))
  const common = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    lib: ['es2023'],
    types: ['node'],
  }
  writeFileSync(join(tools, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...common, ...options }, files }))
  node(tools, `node_modules/${compiler}/bin/tsc`, '-p', '.')
  for (const file of files) rmSync(join(tools, file))
  return `${files.join(' and ')} compile`
}

/** The first TypeScript block of README.md, word for word. */
function readmeExample() {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1]
  if (!example) throw new Error('README.md has no TypeScript example')
  return example
}

/** Pasted into an ES module or a CommonJS program; `programs/fetch.cjs` answers its requests. */
async function runReadmeExample(format) {
  const { code } = await transform(readmeExample(), { loader: 'ts', format: 'esm', target: 'node20' })
  const imports = /import \{([^}]*)\} from ("[^"]*");/g
  const commonJs = `${[...code.matchAll(imports)].map(([, names, from]) => `const {${names}} = require(${from})`).join('\n')}
async function main() {\n${code.replace(imports, '')}\n}\nmain()`
  const file = format === 'esm' ? 'readme.mjs' : 'readme.cjs'
  writeFileSync(join(plain, file), format === 'esm' ? code : commonJs)
  return node(plain, '--require', './fetch.cjs', file) || 'ran'
}

function compileReadmeExample() {
  writeFileSync(join(tools, 'readme.mts'), readmeExample())
  return compile('typescript', { module: 'node16' }, [], ['readme.mts'])
}

async function bundled() {
  const outfile = join(home, 'bundle.mjs')
  await build({
    entryPoints: [join(plain, 'guard.mjs')],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  })
  return `${node(home, outfile)} (${(statSync(outfile).size / 1_000).toFixed(1)} kB)`
}

function installSize() {
  const bytes = bytesOf(join(plain, 'node_modules'))
  const text = `${(bytes / 1e6).toFixed(1)} MB with its dependencies`
  if (bytes > installMaxBytes) throw new Error(`${text}, at most ${installMaxBytes / 1e6} MB`)
  return text
}

/** By the name that npm has linked; no driver is installed here. */
function command() {
  const npx = (...args) => run(plain, 'npx', '--no', '--', 'holdfast', ...args)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const shown = npx('--version')
  if (shown !== version) throw new Error(`holdfast --version says ${shown}, not ${version}`)
  const end = npx('migrate', '--print', '--schema=shop')
  if (end !== 'commit;') throw new Error(`holdfast migrate --print ends with ${end}`)
  return shown
}

const consumers = {
  'install size': installSize,
  'CommonJS: a guarded call': () => node(plain, 'guard.cjs'),
  'CommonJS: every entry point': () => node(plain, 'entries.cjs'),
  'ES modules: a guarded call': () => node(plain, 'guard.mjs'),
  'ES modules: every entry point': () => node(plain, 'entries.mjs'),
  'npx holdfast --version, migrate --print': command,
  'TypeScript 5.5, node16': () => compile('typescript', { module: 'node16' }),
  'TypeScript 5.5, bundler': () => compile('typescript', { module: 'esnext', moduleResolution: 'bundler' }, ['guard.ts']),
  'TypeScript 7, node16': () => compile('typescript-newest', { module: 'node16' }),
  'TypeScript 7, bundler': () => compile('typescript-newest', { module: 'esnext', moduleResolution: 'bundler' }, ['guard.ts']),
  'Jest, default configuration': () => node(tools, 'node_modules/jest/bin/jest.js', '--silent') || 'passed',
  'esbuild bundle': bundled,
  "README's first example, ES module": () => runReadmeExample('esm'),
  "README's first example, CommonJS": () => runReadmeExample('cjs'),
  "README's first example, TypeScript": compileReadmeExample,
}

let failures = 0
try {
  const { tarball, unpackedSize, entryCount } = pack()
  console.log(`Packed ${entryCount} files, ${(unpackedSize / 1e6).toFixed(2)} MB unpacked`)
  install(plain, { name: 'plain', private: true }, tarball)
  install(tools, { name: 'tools', ...JSON.parse(readFileSync(join(root, 'test/consumers/package.json'), 'utf8')) }, tarball)
  for (const [name, consume] of Object.entries(consumers)) {
    try {
      console.log(`ok   ${name}: ${await consume()}`)
    } catch (error) {
      failures += 1
      console.log(`FAIL ${name}\n${error.message.replace(/^/gm, '     ')}`)
    }
  }
} catch (error) {
  failures += 1
  console.error(error.message)
} finally {
  if (process.argv.includes('--keep')) console.log(`Kept in ${home}`)
  else rmSync(home, { recursive: true, force: true })
}
process.exitCode = failures === 0 ? 0 : 1
