// Bundles the child once for a test file, and runs it.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Answer, Order } from './child.ts'

export interface Child {
  /** The next line that it says; undefined once it has ended. */
  readonly next: () => Promise<Answer | undefined>
  /** Kills it as a power switch does and resolves when it is gone. */
  readonly kill: () => Promise<void>
  readonly process: ChildProcess
}

/** Bundles the child, so that it runs on every Node without a TypeScript loader. */
export async function bundle(outfile: string): Promise<string> {
  const entry = fileURLToPath(new URL('./child.ts', import.meta.url))
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent' })
  chmodSync(dirname(outfile), 0o755)
  return outfile
}

export interface RunOptions {
  /** Where drivers are looked for, as an application's folder. Default: this repository's. */
  readonly cwd?: string
  /** As a user who may not write everywhere, where this process may choose. */
  readonly unprivileged?: boolean
}

export function run(script: string, order: Order, options: RunOptions = {}): Child {
  const nobody = options.unprivileged === true && process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(process.execPath, ['--no-warnings', script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...nobody,
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    next: async () => {
      const line = await lines.next()
      return line.done === true ? undefined : (JSON.parse(line.value) as Answer)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    process: child,
  }
}

/** Everything it says until it ends. */
export async function all(child: Child): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let answer = await child.next(); answer !== undefined; answer = await child.next()) answers.push(answer)
  return answers
}
