// Engines for the tests, on loopback.
// node scripts/services.mjs status          which of them answer
// node scripts/services.mjs up [name …]     starts those that do not answer, installing Debian's package where it is missing
// What runs already is left alone. Elsewhere than on Debian use compose.yaml. What has no port is only installed: its tests start one of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'

const waitMaxMs = 60_000
const daemon = (...command) => ['start-stop-daemon', '--start', '--oknodo', '--background', '--exec', ...command]
const postgresVersion = () => readdirSync('/etc/postgresql').sort().at(-1)

/**
 * `binary` tells whether the package is there; `start` lists commands. What this script has installed itself is made usable by tests:
 * `prepare` before its first start, `settle` after it.
 */
const engines = {
  postgres: {
    port: 5432,
    package: 'postgresql',
    binary: '/usr/bin/pg_ctlcluster',
    start: () => [['pg_ctlcluster', '--skip-systemctl-redirect', postgresVersion(), 'main', 'start']],
    prepare: () => [
      ['pg_conftool', postgresVersion(), 'main', 'set', 'port', '5432'],
      ['sed', '-i', '-E', 's/^(host .*)scram-sha-256$/\\1trust/', `/etc/postgresql/${postgresVersion()}/main/pg_hba.conf`],
    ],
    settle: () => [
      ['pg_ctlcluster', '--skip-systemctl-redirect', postgresVersion(), 'main', 'reload'],
      ['runuser', '-u', 'postgres', '--', 'createdb', 'test'],
    ],
  },
  mariadb: {
    port: 3306,
    package: 'mariadb-server',
    binary: '/usr/sbin/mariadbd',
    start: () => [
      ['install', '-d', '-o', 'mysql', '-g', 'mysql', '/run/mysqld'],
      daemon('/usr/sbin/mariadbd', '--', '--user=mysql', '--bind-address=127.0.0.1'),
    ],
    settle: () => [['mariadb', '-e', "create database if not exists test; alter user root@localhost identified by ''"]],
  },
  redis: {
    port: 6379,
    package: 'redis-server',
    binary: '/usr/bin/redis-server',
    start: () => [['redis-server', '--daemonize', 'yes', '--bind', '127.0.0.1', '--port', '6379', '--save', '', '--appendonly', 'no']],
  },
  rabbitmq: {
    port: 5672,
    package: 'rabbitmq-server',
    binary: '/usr/sbin/rabbitmq-server',
    start: () => [['rabbitmq-server', '-detached']],
  },
  mosquitto: { port: 1883, package: 'mosquitto', binary: '/usr/sbin/mosquitto', start: () => [['mosquitto', '-d', '-p', '1883']] },
  nats: {
    port: 4222,
    package: 'nats-server',
    binary: '/usr/sbin/nats-server',
    start: () => [
      ['install', '-d', '/var/lib/nats-server'],
      daemon('/usr/sbin/nats-server', '--', '-a', '127.0.0.1', '-p', '4222', '-js', '-sd', '/var/lib/nats-server'),
    ],
  },
  pgbouncer: { package: 'pgbouncer', binary: '/usr/sbin/pgbouncer' },
}

const hasPort = (name) => engines[name].port !== undefined
const isReady = (name) => (hasPort(name) ? answers(engines[name].port) : existsSync(engines[name].binary))
const found = (name, open) => {
  if (!hasPort(name)) return `${name}: ${open ? 'is' : 'is not'} installed`
  return `${name}: ${open ? 'answers' : 'nothing answers'} on 127.0.0.1:${engines[name].port}`
}

/** As root, through sudo otherwise; never asks for a password. */
function run([program, ...args]) {
  const asRoot = process.getuid?.() === 0
  const [file, ...rest] = asRoot ? [program, ...args] : ['sudo', '-n', 'env', `PATH=${process.env.PATH}:/usr/sbin:/sbin`, program, ...args]
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, DEBIAN_FRONTEND: 'noninteractive' }
  // Daemons keep what they inherit open: with a pipe this call would wait for them to end.
  const { status, error } = spawnSync(file, rest, { stdio: ['ignore', 'ignore', 2], timeout: 300_000, env })
  if (error || status !== 0)
    throw new Error(`\`${[program, ...args].join(' ')}\` failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
}

function answers(port) {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 })
    const end = (open) => {
      socket.destroy()
      done(open)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

async function waitFor(port) {
  const until = Date.now() + waitMaxMs
  while (!(await answers(port))) {
    if (Date.now() > until) throw new Error(`nothing answers on 127.0.0.1:${port} after ${waitMaxMs / 1_000} s`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function install(names) {
  const missing = names.filter((name) => !existsSync(engines[name].binary))
  if (missing.length === 0) return missing
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(`not installed: ${missing.join(', ')}. Without apt-get, \`docker compose up -d\` offers the same engines.`)
  }
  console.log(`Installing ${missing.map((name) => engines[name].package).join(', ')} …`)
  run(['apt-get', 'update', '-q'])
  run(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...missing.map((name) => engines[name].package)])
  return missing
}

async function startOne(name, installed) {
  const { port, start, prepare, settle } = engines[name]
  const runAll = (commands) => commands?.().forEach(run)
  if (installed) runAll(prepare)
  // The package's own script may have started it.
  if (!(await answers(port))) runAll(start)
  await waitFor(port)
  if (installed) runAll(settle)
  console.log(`${name}: started on 127.0.0.1:${port}`)
}

async function up(names) {
  const ready = await Promise.all(names.map(isReady))
  for (const name of names.filter((_, index) => ready[index])) console.log(`${found(name, true)} already`)
  const wanted = names.filter((_, index) => !ready[index])
  const installed = install(wanted)
  for (const name of wanted.filter(hasPort)) {
    try {
      await startOne(name, installed.includes(name))
    } catch (error) {
      console.error(`${name}: ${error.message}`)
      process.exitCode = 1
    }
  }
}

async function status() {
  for (const name of Object.keys(engines)) {
    const open = await isReady(name)
    console.log(found(name, open))
    if (!open) process.exitCode = 1
  }
}

const [command, ...names] = process.argv.slice(2)
const unknown = names.filter((name) => !(name in engines))
if (unknown.length > 0 || !['up', 'status'].includes(command)) {
  console.error(`usage: node scripts/services.mjs status | up [${Object.keys(engines).join(' ')}]`)
  process.exitCode = 2
} else {
  try {
    await (command === 'up' ? up(names.length > 0 ? names : Object.keys(engines)) : status())
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
