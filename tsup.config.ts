import { defineConfig, type Options } from 'tsup'
import { outputs } from './scripts/entries.mjs'

const shared: Options = {
  entry: outputs,
  outDir: 'dist',
  target: 'node20',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: false,
  // Declarations come from scripts/declarations.mjs: tsup's own take half a minute.
  dts: false,
  // Without the prefix `node:sqlite` would not be found.
  removeNodeProtocol: false,
  skipNodeModulesBundle: false,
  silent: true,
}

// Dependencies published as ES modules only. `require` of them fails in Jest and before Node 20.19, so the CommonJS build carries them.
const esmOnly = ['p-queue', 'p-retry', 'p-timeout', 'is-network-error']

export default defineConfig([
  { ...shared, format: 'esm' },
  // Without `treeshake` splitting to CommonJS passes through sucrase, which lowers `?.`, `??` and class fields.
  { ...shared, format: 'cjs', treeshake: true, noExternal: esmOnly },
])
