// Installs the dependencies when they are missing or do not match package-lock.json. Node built-ins only: it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(`${root}${file}`, 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Why an install is needed, or undefined. Compares contents, since a clone's file times say nothing. */
function staleness() {
  if (!existsSync(`${root}node_modules`)) return 'node_modules is missing'
  const installed = readPackages('node_modules/.package-lock.json')
  if (!installed) return 'node_modules was not installed by npm, or not completely'
  for (const [path, wanted] of Object.entries(readPackages('package-lock.json') ?? {})) {
    if (path === '') continue
    const found = installed[path]
    // What is optional may be for another platform.
    if (!found && (wanted.optional || wanted.peer || wanted.devOptional)) continue
    if (found?.version !== wanted.version || found?.integrity !== wanted.integrity) return `${path} is not the version in package-lock.json`
    if (!existsSync(`${root}${path}`)) return `${path} is missing`
  }
  return undefined
}

const reason = staleness()
if (reason) {
  console.error(`Installing dependencies (${reason}) …`)
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (error || status !== 0) {
    console.error(`npm ci failed${error ? `: ${error.message}` : ` with exit code ${status}`}; the command was not run.`)
    process.exit(1)
  }
}
