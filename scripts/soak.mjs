// A million mixed calls through all policies on virtual time, or as many as the first argument says: `npm run soak -- 100000`.
import { spawnSync } from 'node:child_process'
import { root } from './files.mjs'

const calls = process.argv[2] ?? '1000000'
if (!(Number(calls) >= 1_000)) throw new Error(`soak takes a number of calls of at least 1,000, got ${calls}`)
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/soak', '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, HOLDFAST_SOAK: calls },
})
process.exitCode = status ?? 1
