// What several scripts need of the file system and of other programs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The repository's folder, with a slash at its end. */
export const root = fileURLToPath(new URL('../', import.meta.url))

/** Every file below a folder whose name ends in one of the endings, as sorted paths from the repository's root. */
export function filesBelow(folder, ...endings) {
  if (!existsSync(root + folder)) return []
  return readdirSync(root + folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll('\\', '/').slice(root.length))
    .sort()
}

export function hashOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(root + path))
  return hash.digest('hex')
}

/** Runs a program of ours or of a dependency with this Node; throws when it fails. */
export function runNode(args, { label = args[0], ...options } = {}) {
  const { status, signal, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  if (status !== 0) throw new Error(`${label} ended with ${signal ?? `exit code ${status}`}`)
}
