// node scripts/prisma.mjs
// Installs Prisma in .tmp/prisma, from what test/prisma says, and generates its client there, so that the tests that need it run. Its client is plain JavaScript on top of `pg`
// and needs no engine; `prisma generate` asks for the path of one all the same and never runs it, so any program's path will do.
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { root } from './files.mjs'

const cwd = `${root}.tmp/prisma`
const run = (program, args, env = {}) => {
  const { status, error } = spawnSync(program, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
  })
  if (error || status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
}

try {
  cpSync(`${root}test/prisma`, cwd, { recursive: true })
  run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'])
  run(process.execPath, ['node_modules/prisma/build/index.js', 'generate', '--schema', 'schema.prisma'], {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    CHECKPOINT_DISABLE: '1',
  })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
