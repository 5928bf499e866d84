// What a program that imports one policy from the root pays for the rest of the package: the bundle of dist/ against a bundle of nothing
// but the file that declares the policy (and what that file uses).
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { filesBelow, root } from './files.mjs'

const overheadMaxBytes = 2_000
const policies = ['policy', 'circuitBreaker', 'bulkhead', 'retry', 'timeout', 'fallback']

async function bundledBytes(name, from) {
  const { outputFiles } = await build({
    stdin: { contents: `import { ${name} } from '${from}'; globalThis.used = ${name}`, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  })
  return outputFiles[0].contents.length
}

function homeOf(name) {
  const declares = new RegExp(`^export (?:function|const) ${name}\\b`, 'm')
  const home = filesBelow('src', '.ts').find((file) => declares.test(readFileSync(root + file, 'utf8')))
  if (!home) throw new Error(`no file in src/ declares ${name}`)
  return `./${home}`
}

/** Policy → bytes from the root, bytes alone, and whether the difference is within the limit. */
export const bundleSizes = () =>
  Promise.all(
    policies.map(async (name) => {
      const [bytes, aloneBytes] = await Promise.all([bundledBytes(name, './dist/index.js'), bundledBytes(name, homeOf(name))])
      return { name, bytes, aloneBytes, overheadMaxBytes, ok: bytes - aloneBytes < overheadMaxBytes }
    }),
  )
