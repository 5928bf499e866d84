// Emits the declarations and a .d.cts copy of each. Relative imports end in .js or .cjs, so that both module systems find their own.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { outputs } from './entries.mjs'
import { filesBelow, root, runNode } from './files.mjs'

/** The string of `from './x.ts'`, `import './x.ts'`, `import('./x.ts')` and `declare module './x.ts'`. */
const relative = /(\bfrom\s*|\bimport\s*\(?\s*|\bmodule\s+)(['"])(\.{1,2}\/[^'"]+?)\.(?:ts|js)\2/g

export const withExtension = (text, extension) =>
  text.replace(relative, (_, keyword, quote, path) => `${keyword}${quote}${path}${extension}${quote}`)

/** Those that the declarations of some entry point lead to; nobody can see the others. */
function reachable(outDir) {
  const seen = new Set()
  const visit = (name) => {
    if (seen.has(name)) return
    seen.add(name)
    for (const [, , , path] of readFileSync(root + name, 'utf8').matchAll(relative)) visit(`${posix.join(posix.dirname(name), path)}.d.ts`)
  }
  for (const stem of Object.keys(outputs)) visit(`${outDir}/${stem}.d.ts`)
  return seen
}

export function emitDeclarations(outDir) {
  runNode(['node_modules/ts7/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', outDir], { label: 'tsc (declarations)' })
  const wanted = reachable(outDir)
  for (const name of filesBelow(outDir, '.d.ts')) {
    if (!wanted.has(name)) {
      rmSync(root + name)
      continue
    }
    const text = readFileSync(root + name, 'utf8')
    writeFileSync(root + name, withExtension(text, '.js'))
    writeFileSync(root + name.replace(/\.d\.ts$/, '.d.cts'), withExtension(text, '.cjs'))
  }
}
