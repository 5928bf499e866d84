// Builds dist/. `--if-stale` does nothing when dist/ was built from exactly these sources.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { checkBuild } from './check-build.mjs'
import { emitDeclarations } from './declarations.mjs'
import { differences } from './entries.mjs'
import { filesBelow, hashOf, root, runNode } from './files.mjs'

const stampOf = (folder) => `${root}${folder}/.built-from`
const sources = hashOf([
  ...filesBelow('src', '.ts'),
  ...filesBelow('scripts', '.mjs'),
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsup.config.ts',
])

const isFresh = () => existsSync(stampOf('dist')) && readFileSync(stampOf('dist'), 'utf8') === sources

/** Maps serve the checks here; with them the installed package would be twice as large. What is published does not point at them. */
function unlinkMaps(folder) {
  for (const file of filesBelow(folder, '.js', '.cjs')) {
    writeFileSync(
      root + file,
      readFileSync(root + file, 'utf8')
        .replace(/^\/\/# sourceMappingURL=.*$/gm, '')
        .trimEnd()
        .concat('\n'),
    )
  }
}

function build() {
  const differing = differences()
  if (differing.length > 0) throw new Error(`${differing.join('\n')}\nRun: node scripts/entries.mjs --write`)
  // Built beside dist/ and then put in its place, so that whoever imports dist/ meanwhile never sees half of it.
  const fresh = `.dist-${process.pid}`
  try {
    runNode(['node_modules/tsup/dist/cli-default.js', '--out-dir', fresh], { label: 'tsup' })
    emitDeclarations(fresh)
    checkBuild(fresh)
    unlinkMaps(fresh)
    writeFileSync(stampOf(fresh), sources)
    rmSync(`${root}dist`, { recursive: true, force: true })
    renameSync(root + fresh, `${root}dist`)
  } finally {
    rmSync(root + fresh, { recursive: true, force: true })
  }
}

if (!(process.argv.includes('--if-stale') && isFresh())) {
  const startedMs = performance.now()
  try {
    build()
    console.log(`Built dist/ in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  } catch (error) {
    console.error(`Build failed: ${error.message}`)
    process.exitCode = 1
  }
}
