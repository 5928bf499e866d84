// Bundles a TypeScript program so that a test can start it as a process of its own.
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Resolves with the path of the program. It lies inside the repository, so that packages resolve; each caller has one of its own. */
export async function bundle(entry: string): Promise<string> {
  const folder = join(root, '.tmp', 'programs')
  await mkdir(folder, { recursive: true })
  const outfile = join(folder, `${basename(entry, '.ts')}-${process.pid}-${Date.now()}.mjs`)
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  })
  return outfile
}
