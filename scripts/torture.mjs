// npm run torture -- [options of test/torture/main.ts]
// Bundles the torture and runs it: processes that append to one log and read it, are killed, stopped and cut off, and a checker of what they recorded.
import { build } from 'esbuild'
import { root, runNode } from './files.mjs'

const outfile = `${root}.tmp/torture-main.mjs`
await build({
  entryPoints: [`${root}test/torture/main.ts`],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  // The children are bundled from the sources, which the bundle is not beside.
  define: { 'import.meta.url': JSON.stringify(`file://${root}test/torture/torture.ts`) },
})
try {
  runNode(['--max-old-space-size=12000', '--enable-source-maps', outfile, ...process.argv.slice(2)], { label: 'torture' })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
