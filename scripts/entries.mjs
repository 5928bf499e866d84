// The one table of entry points. Everything that names them (tsup, package.json, tsconfig.json, vitest, the API report) is derived from it.
// node scripts/entries.mjs          says where package.json or tsconfig.json differ from the table
// node scripts/entries.mjs --write  writes them
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Subpath → source. The built files stand at the same place under dist/. */
export const entries = {
  '.': 'src/index.ts',
  './resilience': 'src/resilience/index.ts',
  './saga': 'src/saga/index.ts',
  './messaging': 'src/messaging/index.ts',
  './cqrs': 'src/cqrs/index.ts',
  './memory': 'src/adapters/memory/index.ts',
  './sqlite': 'src/adapters/sqlite/index.ts',
  './redis': 'src/adapters/redis/index.ts',
  './postgres': 'src/adapters/postgres/index.ts',
  './testing': 'src/app/testing.ts',
  './fetch': 'src/integrations/fetch/index.ts',
  './undici': 'src/integrations/undici/index.ts',
  './axios': 'src/integrations/axios/index.ts',
  './pg': 'src/integrations/pg/index.ts',
  './express': 'src/integrations/express/index.ts',
  './drizzle': 'src/integrations/drizzle/index.ts',
  './kysely': 'src/integrations/kysely/index.ts',
  './prisma': 'src/integrations/prisma/index.ts',
}

/** Command → source, in the `bin` of package.json. */
export const commands = { holdfast: 'src/cli/main.ts' }

const root = new URL('../', import.meta.url)
const stem = (source) => source.replace(/^src\//, '').replace(/\.ts$/, '')

/** Where the built commands stand, below dist/. */
export const commandFiles = Object.values(commands).map((source) => `${stem(source)}.js`)

/** Output name (without extension) → source, as tsup wants it. */
export const outputs = Object.fromEntries(Object.values(entries).map((source) => [stem(source), source]))

/** What a user writes → source: `holdfast/saga` → `src/saga/index.ts`. */
export const specifiers = Object.fromEntries(Object.entries(entries).map(([path, source]) => [`holdfast${path.slice(1)}`, source]))

/** `module` is for bundlers, `import` and `require` for Node; each has its own types, so that neither masquerades as the other. */
function conditions(source) {
  const file = `./dist/${stem(source)}`
  const esm = { types: `${file}.d.ts`, default: `${file}.js` }
  return { module: esm, import: esm, require: { types: `${file}.d.cts`, default: `${file}.cjs` } }
}

export function expectedPackageFields() {
  const main = `./dist/${stem(entries['.'])}`
  const subpaths = Object.entries(entries).filter(([path]) => path !== '.')
  return {
    bin: Object.fromEntries(Object.entries(commands).map(([name, source]) => [name, `dist/${stem(source)}.js`])),
    main: `${main}.cjs`,
    module: `${main}.js`,
    types: `${main}.d.cts`,
    exports: {
      ...Object.fromEntries(Object.entries(entries).map(([path, source]) => [path, conditions(source)])),
      './package.json': './package.json',
    },
    typesVersions: { '*': Object.fromEntries(subpaths.map(([path, source]) => [path.slice(2), [`./dist/${stem(source)}.d.cts`]])) },
  }
}

export const expectedPaths = () => Object.fromEntries(Object.entries(specifiers).map(([name, source]) => [name, [`./${source}`]]))

const readJson = (name) => JSON.parse(readFileSync(new URL(name, root), 'utf8'))
const writeJson = (name, value) => writeFileSync(new URL(name, root), `${JSON.stringify(value, null, 2)}\n`)

/** One line for each field that differs from the table. */
export function differences() {
  const manifest = readJson('package.json')
  const found = Object.entries(expectedPackageFields())
    .filter(([field, expected]) => JSON.stringify(manifest[field]) !== JSON.stringify(expected))
    .map(([field]) => `package.json: "${field}" differs from scripts/entries.mjs`)
  if (JSON.stringify(readJson('tsconfig.json').compilerOptions.paths) !== JSON.stringify(expectedPaths())) {
    found.push('tsconfig.json: "paths" differs from scripts/entries.mjs')
  }
  return found
}

function write() {
  writeJson('package.json', { ...readJson('package.json'), ...expectedPackageFields() })
  const tsconfig = readJson('tsconfig.json')
  writeJson('tsconfig.json', { ...tsconfig, compilerOptions: { ...tsconfig.compilerOptions, paths: expectedPaths() } })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) write()
  const found = differences()
  for (const line of found) console.error(line)
  if (found.length > 0) {
    console.error('Run: node scripts/entries.mjs --write')
    process.exitCode = 1
  }
}
