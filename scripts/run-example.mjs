// node scripts/run-example.mjs <name> [arguments …]
// Runs examples/<name>/main.ts on the built package. Each file is transpiled on its own into .tmp/examples/<name>, inside the repository, so
// that `import 'holdfast'` finds this package by its own name, the way a user's program finds it in node_modules.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { build } from 'esbuild'
import { filesBelow, root, runNode } from './files.mjs'

/** `./server.ts` becomes `./server.js` in import statements, dynamic imports and `new URL('./server.ts', import.meta.url)`. */
const renameImports = {
  name: 'rename-imports',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'),
      loader: 'ts',
    }))
  },
}

async function prepare(name) {
  const source = `examples/${name}`
  const target = `${root}.tmp/${source}`
  runNode(['scripts/build.mjs', '--if-stale'])
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  // Data beside the programs (orders, expected output) keeps its place.
  cpSync(root + source, target, { recursive: true, filter: (path) => !path.endsWith('.ts') && !path.endsWith('.db') })
  await build({
    entryPoints: filesBelow(source, '.ts').map((file) => root + file),
    outdir: target,
    outbase: root + source,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'warning',
    plugins: [renameImports],
  })
  return `${target}/main.js`
}

const [name, ...args] = process.argv.slice(2)
if (!name || !existsSync(`${root}examples/${name}/main.ts`)) {
  console.error(`There is no examples/${name ?? '<name>'}/main.ts`)
  process.exit(2)
}
const main = await prepare(name)
const child = spawn(process.execPath, ['--enable-source-maps', main, ...args], { cwd: root, stdio: 'inherit' })
// The example ends on the signal, and this with it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
