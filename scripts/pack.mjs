// Packs the built package into .tmp/pack and says where: what would be published, for the checks and the consumers.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { root, runNode } from './files.mjs'

export function pack() {
  runNode(['scripts/build.mjs', '--if-stale'])
  rmSync(`${root}.tmp/pack`, { recursive: true, force: true })
  mkdirSync(`${root}.tmp/pack`, { recursive: true })
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', '.tmp/pack'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`)
  const [{ filename, unpackedSize, entryCount }] = JSON.parse(stdout)
  return { tarball: `${root}.tmp/pack/${filename}`, unpackedSize, entryCount }
}
