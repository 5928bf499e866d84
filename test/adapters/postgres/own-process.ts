// A server of a test's own: a process, and a folder for its files and sockets. No port is taken, so that none can be taken already.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { until } from './support.ts'

/** Servers refuse to run as root; Debian's user for them is used then. */
const asUser: { readonly uid?: number; readonly gid?: number } = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}

function idOf(which: string): number {
  return Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }))
}

/** A new folder that the server's user may write to. In /tmp: a socket's path has little more than a hundred bytes. */
export function ownFolder(name: string): string {
  const folder = mkdtempSync(`/tmp/holdfast-${name}-`)
  if (asUser.uid !== undefined && asUser.gid !== undefined) chownSync(folder, asUser.uid, asUser.gid)
  chmodSync(folder, 0o700)
  return folder
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true })

/** Runs a program of the server's to its end. */
export function runToEnd(file: string, args: readonly string[]): void {
  execFileSync(file, args, { ...asUser, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } })
}

export interface OwnProcess {
  /** Sends the signal, and resolves when the process has ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** What it has written to its log. */
  readonly log: () => string
}

/** Resolves when something answers on the socket; rejects with the program's log where it has ended before. */
export async function startProcess(file: string, args: readonly string[], socket: string): Promise<OwnProcess> {
  const child: ChildProcess = spawn(file, args, {
    ...asUser,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      log += chunk.toString()
    })
  let isOver = false
  const ended = new Promise<void>((resolve) => {
    const over = (): void => {
      isOver = true
      resolve()
    }
    child.once('error', over)
    child.once('exit', over)
  })
  await until(`${file} answers`, async () => {
    if (isOver) throw new Error(`${file} ended: ${log}`)
    return await answers(socket)
  })
  return {
    end: async (signal) => {
      child.kill(signal)
      await ended
    },
    signal: (signal) => void child.kill(signal),
    log: () => log,
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (open: boolean) => (): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', end(true))
    socket.once('error', end(false))
  })
}

/** Where a server of the folder listens on the port of that number. */
export const socketIn = (folder: string, port: number): string => join(folder, `.s.PGSQL.${port}`)
