// Runs the whole suite once. `--shuffle` shuffles files and tests; everything else goes to vitest as it is.
import { spawnSync } from 'node:child_process'
import { root } from './files.mjs'

const given = process.argv.slice(2).map((argument) => (argument === '--shuffle' ? '--sequence.shuffle' : argument))
const { status, signal } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...given], { cwd: root, stdio: 'inherit' })
if (signal) console.error(`vitest was ended by ${signal}`)
process.exitCode = status ?? 1
