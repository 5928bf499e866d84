import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'
import { specifiers } from './scripts/entries.mjs'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: Object.entries(specifiers).map(([name, source]) => ({ find: new RegExp(`^${name}$`), replacement: at(source) })),
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/consumers/**'],
    globalSetup: ['test/support/probe.ts'],
    // Most of the time goes into waiting for engines and processes: one more than there are processors of the smallest machine.
    maxWorkers: 3,
    // Bounds for what hangs, wide enough for a machine that is busy with something else.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // HOLDFAST_IDENTITY=1 inserts a policy that does nothing everywhere: the suite must not notice.
    setupFiles: ['test/support/seed.ts', ...(process.env.HOLDFAST_IDENTITY === '1' ? ['test/support/identity.ts'] : [])],
    reporters: ['default', './test/support/summary.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'html'],
      thresholds: { 'src/core/**': { branches: 90 } },
    },
  },
})
