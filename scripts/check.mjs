// Everything that can be said about the code without running it. Goes through all the checks, then says which failed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { differingReports } from './api-report.mjs'
import { bundleSizes } from './bundle-size.mjs'
import { deadExports } from './dead-exports.mjs'
import { differences } from './entries.mjs'
import { root } from './files.mjs'
import { pack } from './pack.mjs'

const node = (...args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? [] : [`${stdout}${stderr}`.trim()]
}
const binOf = (name) => {
  const { bin } = JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, 'utf8'))
  return `node_modules/${name}/${typeof bin === 'string' ? bin : Object.values(bin)[0]}`
}

const oversized = async () =>
  (await bundleSizes())
    .filter(({ ok }) => !ok)
    .map(
      ({ name, bytes, aloneBytes, overheadMaxBytes }) =>
        `${name}: ${bytes} B from the root, ${aloneBytes} B alone, at most ${overheadMaxBytes} B apart`,
    )

let tarball
const packed = (check) => () => (tarball ? check() : ['not run, since nothing was packed'])
/** Each answers with its complaints; none means that it passed. */
const checks = {
  'format and lint': () => node(binOf('@biomejs/biome'), 'ci', '--colors=off', '.'),
  types: () => node('node_modules/ts7/bin/tsc', '-p', '.', '--noEmit', '--pretty', 'false'),
  'layers and file sizes': () => node('node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', 'test/house'),
  'entry points': () => differences(),
  'dead exports': () => deadExports(),
  'build and pack': () => {
    ;({ tarball } = pack())
    return []
  },
  'public API report': packed(() => differingReports()),
  publint: packed(() => node(binOf('publint'), tarball, '--strict')),
  'types for every resolution': packed(() =>
    node(binOf('@arethetypeswrong/cli'), tarball, '--profile', 'strict', '--format', 'ascii', '--no-color'),
  ),
  'bundle size': packed(oversized),
}

const failed = []
for (const [name, check] of Object.entries(checks)) {
  const startedMs = performance.now()
  let complaints
  try {
    complaints = await check()
  } catch (error) {
    complaints = [error.message]
  }
  console.log(`${complaints.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)
  for (const complaint of complaints) console.log(complaint.replace(/^/gm, '     '))
  if (complaints.length > 0) failed.push(name)
}
console.log(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
