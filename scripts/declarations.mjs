// Emits the declarations and a .d.cts copy of each. Relative imports end in .js or .cjs, so that both module systems find their own.
import { readFileSync, writeFileSync } from 'node:fs'
import { filesBelow, root, runNode } from './files.mjs'

/** The string of `from './x.ts'`, `import './x.ts'`, `import('./x.ts')` and `declare module './x.ts'`. */
const relative = /(\bfrom\s*|\bimport\s*\(?\s*|\bmodule\s+)(['"])(\.{1,2}\/[^'"]+?)\.(?:ts|js)\2/g

export const withExtension = (text, extension) =>
  text.replace(relative, (_, keyword, quote, path) => `${keyword}${quote}${path}${extension}${quote}`)

export function emitDeclarations(outDir) {
  runNode(['node_modules/ts7/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', outDir], { label: 'tsc (declarations)' })
  for (const name of filesBelow(outDir, '.d.ts')) {
    const text = readFileSync(root + name, 'utf8')
    writeFileSync(root + name, withExtension(text, '.js'))
    writeFileSync(root + name.replace(/\.d\.ts$/, '.d.cts'), withExtension(text, '.cjs'))
  }
}
