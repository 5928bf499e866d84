// Runs the demo and compares its output: every line of examples/checkout/expected.txt must appear in it, in that order. Timings differ
// from run to run, so a line between slashes is a regular expression; `#` begins a comment.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { root } from './files.mjs'

const { status, stdout, error } = spawnSync('npm', ['run', '--silent', 'demo', ...process.argv.slice(2)], {
  cwd: root,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
  timeout: 120_000,
  shell: process.platform === 'win32',
})
process.stdout.write(stdout ?? '')

const expected = readFileSync(`${root}examples/checkout/expected.txt`, 'utf8')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'))
const actual = stripVTControlCharacters(stdout ?? '')
  .split(/[\r\n]+/)
  .map((line) => line.trim())
const matches = (wanted, line) => (/^\/.*\/$/.test(wanted) ? new RegExp(wanted.slice(1, -1)).test(line) : line === wanted)

let at = 0
const missing = []
for (const wanted of expected) {
  const found = actual.findIndex((line, index) => index >= at && matches(wanted, line))
  if (found < 0) missing.push(wanted)
  else at = found + 1
}

if (error || status !== 0) console.error(`The demo ended with ${error?.message ?? `exit code ${status}`}`)
for (const line of missing) console.error(`Missing in the demo's output: ${line}`)
if (!error && status === 0 && missing.length === 0) console.log(`The demo printed all ${expected.length} expected lines`)
else process.exitCode = 1
