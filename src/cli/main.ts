#!/usr/bin/env node
// The command `holdfast`. Exit codes: 0 done, 1 failed, 2 options that cannot be read.
import { redacted } from './redact.ts'
import { run } from './run.ts'
import { UsageError } from './usage.ts'

const args = process.argv.slice(2)

// Whoever reads has gone (`| head`): nobody is left to be told, and a stack trace least of all.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exitCode = 1
  if (error.code !== 'EPIPE') complain(error)
})

// A driver may throw where nobody can catch it, when it loses its connection. What then goes on is not waited for.
process.on('uncaughtException', (error) => complain(error, () => process.exit(1)))

function complain(error: unknown, then?: () => void): void {
  const message = error instanceof Error ? error.message || error.name : String(error)
  const line = redacted(message, args, process.env)
    .trim()
    .replace(/\s*\n\s*/g, ' ')
  process.stderr.write(`holdfast: ${line}\n`, then)
}

/** Without `process.exit`: what was written has to arrive first. */
async function main(): Promise<void> {
  try {
    process.stdout.write(await run(args, process.env))
  } catch (error) {
    const isUsage = error instanceof UsageError || (error as { readonly code?: unknown }).code === 'INVALID_OPTIONS'
    process.exitCode = isUsage ? 2 : 1
    complain(error)
  }
}

void main()
