import { readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'
import { outputs } from './scripts/entries.mjs'

const shared: Options = {
  outDir: 'dist',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  // Declarations come from scripts/declarations.mjs: tsup's own take half a minute.
  dts: false,
  // Without the prefix `node:sqlite` would not be found.
  removeNodeProtocol: false,
  silent: true,
}

/** `./x.ts` → `./x.js`, in files that are not bundled. */
const renameImports: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'rename-imports',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/(\b(?:from|import)\s*\(?\s*'\.{1,2}\/[^']+)\.ts'/g, "$1.js'"),
      loader: 'ts',
    }))
  },
}

export default defineConfig([
  // A file for each source, so that bundlers drop what a program does not use, file by file (`sideEffects: false`).
  { ...shared, entry: ['src/**/*.ts'], format: 'esm', bundle: false, esbuildPlugins: [renameImports] },
  {
    ...shared,
    entry: outputs,
    format: 'cjs',
    splitting: true,
    // Without it splitting to CommonJS passes through sucrase, which lowers `?.`, `??` and class fields.
    treeshake: true,
    // Dependencies published as ES modules only. `require` of them fails in Jest and before Node 20.19, so this build carries them.
    noExternal: ['p-queue', 'p-retry', 'p-timeout', 'is-network-error'],
  },
])
