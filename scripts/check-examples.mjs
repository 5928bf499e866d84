// node scripts/check-examples.mjs [name …]
// Runs every example that has an expected.txt (or those named) and compares what it prints: each line of expected.txt must appear, in that
// order. Between slashes stands a regular expression; `#` begins a comment. Where the first line is `# whole output`, nothing else may appear.
// An example whose main.ts begins with `// needs: <engine …>` is skipped, and says so, where one of them does not answer on loopback; with
// REQUIRE_SERVICES=1 that is a failure.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { stripVTControlCharacters } from 'node:util'
import { root, runNode } from './files.mjs'

const ports = { postgres: 5432, mariadb: 3306, redis: 6379, rabbitmq: 5672, mosquitto: 1883, nats: 4222 }
const timeoutMs = 120_000
/** What README promises as a command is checked as that command. */
const commands = { checkout: ['npm', 'run', '--silent', 'demo'] }

const found = readdirSync(`${root}examples`)
  .filter((name) => ['main.ts', 'expected.txt'].every((file) => existsSync(`${root}examples/${name}/${file}`)))
  .sort()

function answers(port) {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 })
    const end = (open) => {
      socket.destroy()
      done(open)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

/** Which of the engines that the example names do not answer. */
async function missingEngines(name) {
  const needs = /^\/\/ needs: (.+)/.exec(readFileSync(`${root}examples/${name}/main.ts`, 'utf8'))?.[1] ?? ''
  const missing = []
  for (const engine of needs.split(/[\s,]+/).filter(Boolean)) {
    if (!(engine in ports)) throw new Error(`examples/${name}/main.ts needs ${engine}, which is none of ${Object.keys(ports).join(', ')}`)
    if (!(await answers(ports[engine]))) missing.push(`${engine} (nothing answers on 127.0.0.1:${ports[engine]})`)
  }
  return missing
}

const linesOf = (text) =>
  stripVTControlCharacters(text)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')

const matches = (wanted, line) => (/^\/.*\/$/.test(wanted) ? new RegExp(wanted.slice(1, -1)).test(line) : line === wanted)

/** What is wrong with the output, one sentence each. */
function compare(expectedText, actual) {
  const [first, ...rest] = linesOf(expectedText)
  const expected = [first, ...rest].filter((line) => !line.startsWith('#'))
  if (first === '# whole output') {
    const pairs = Array.from({ length: Math.max(expected.length, actual.length) }, (_, at) => [expected[at], actual[at]])
    const differs = pairs.find(([wanted, line]) => wanted === undefined || line === undefined || !matches(wanted, line))
    return differs === undefined ? [] : [`"${differs[1] ?? 'the end'}" in place of "${differs[0] ?? 'the end'}"`]
  }
  let at = 0
  const missing = []
  for (const wanted of expected) {
    const index = actual.findIndex((line, place) => place >= at && matches(wanted, line))
    if (index < 0) missing.push(`missing: ${wanted}`)
    else at = index + 1
  }
  return missing
}

function check(name) {
  const [program, ...args] = commands[name] ?? [process.execPath, 'scripts/run-example.mjs', name]
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: timeoutMs,
    shell: process.platform === 'win32' && program === 'npm',
  })
  process.stdout.write(stdout ?? '')
  const ended = error || status !== 0 ? [`it ended with ${error?.message ?? `exit code ${status}`}`] : []
  return [...ended, ...compare(readFileSync(`${root}examples/${name}/expected.txt`, 'utf8'), linesOf(stdout ?? ''))]
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !found.includes(name))
if (unknown.length > 0) throw new Error(`no main.ts and expected.txt in: ${unknown.map((name) => `examples/${name}`).join(', ')}`)

// First, so that its words are in no example's output.
runNode(['scripts/build.mjs', '--if-stale'])
const report = []
for (const name of named.length > 0 ? named : found) {
  console.log(`--- ${name}`)
  const missing = await missingEngines(name)
  if (missing.length > 0 && process.env.REQUIRE_SERVICES !== '1') {
    report.push(`skipped  ${name}: needs ${missing.join(', ')}`)
    continue
  }
  const wrong = missing.length > 0 ? [`needs ${missing.join(', ')}, and REQUIRE_SERVICES=1`] : check(name)
  report.push(wrong.length === 0 ? `ok       ${name}` : `FAILED   ${name}: ${wrong.join('; ')}`)
  if (wrong.length > 0) process.exitCode = 1
}
console.log(`\n${report.join('\n')}`)
