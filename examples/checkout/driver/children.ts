// Child processes and the temporary folder: started here, and gone on every way out.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** One line of JSON that a child prints. */
type Report = { readonly event: string } & Readonly<Record<string, unknown>>

export interface Child {
  readonly pid: number
  readonly url: string
  /** What it ended with: an exit code or the name of a signal. */
  readonly ended: Promise<number | string>
  kill(signal: 'SIGKILL' | 'SIGTERM'): void
}

const alive = new Set<ChildProcess>()
const folders = new Set<string>()

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-checkout-'))
  folders.add(folder)
  return folder
}

/** Ends all children and removes the temporary folders. Synchronous, so that it also works on the way out. */
function cleanUp(): void {
  for (const child of alive) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  folders.clear()
}

export function cleanUpOnExit(): void {
  process.on('exit', cleanUp)
  // Whoever reads along has left: `npm run demo | head`.
  process.stdout.on('error', () => process.exit(1))
  // Listened to for good: Ctrl-C comes twice, from the terminal and from npm, and the second one must not cut this short.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(code))
  }
}

/** Starts a program of this example and resolves once it says where it listens. It ends when our end of its stdin closes. */
export function startChild(
  program: string,
  env: Readonly<Record<string, string>>,
  onReport: (report: Report) => void = () => {},
): Promise<Child> {
  const here = import.meta.url
  const file = fileURLToPath(new URL(`../${program}${extname(here)}`, here))
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  alive.add(child)
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => {
      alive.delete(child)
      resolve(code ?? signal ?? 'unknown')
    })
  })
  // Broken pipes are how a killed child looks from here.
  child.stdin.on('error', () => {})
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    void ended.then((how) => reject(new Error(`${program} ended before it listened (${how})`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return console.error(`${program}: ${line}`)
      const report = JSON.parse(line) as Report
      onReport(report)
      if (report.event !== 'listening') return
      resolve({ pid: child.pid ?? 0, url: `http://127.0.0.1:${report.port}`, ended, kill: (signal) => void child.kill(signal) })
    })
  })
}
