import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Which process holds a lease, so that another on the same host sees that it is dead: `[host, boot, pid namespace, pid, start]`. What a
 * platform does not tell is an empty text.
 */
type Holder = readonly [host: string, boot: string, pids: string, pid: number, started: string]

const told = (read: () => string): string => {
  try {
    return read().trim()
  } catch {
    return ''
  }
}

/** When a process was started, in ticks since boot: a process id that is used again has another. Linux only. */
const startOf = (pid: number | 'self'): string =>
  told(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in brackets may hold anything; 19 fields follow between it and the start.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  })

let mine: string | undefined

export function thisProcess(): string {
  if (mine !== undefined) return mine
  const boot = told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))
  const pids = told(() => readlinkSync('/proc/self/ns/pid'))
  const holder: Holder = [hostname(), boot, pids, process.pid, startOf('self')]
  mine = JSON.stringify(holder)
  return mine
}

/** Whether the holder is certainly dead. Of another host, another boot or another pid namespace nothing is known. */
export function isDead(holder: string): boolean {
  const theirs = parse(holder)
  const ours = parse(thisProcess())
  if (theirs === undefined || ours === undefined || theirs.slice(0, 3).join('\n') !== ours.slice(0, 3).join('\n')) return false
  const [, , , pid, started] = theirs
  if (!isRunning(pid)) return true
  const now = startOf(pid)
  return started !== '' && now !== '' && now !== started
}

function parse(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.length === 5 && Number.isSafeInteger(value[3]) && value[3] > 0
      ? (value as unknown as Holder)
      : undefined
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: there is one, though not ours to signal.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
