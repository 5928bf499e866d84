import type { Step } from './definition.ts'

const label = (text: string): string => text.replace(/["\\\n\r]/g, (c) => (c === '"' ? '#quot;' : ' '))

/** A flowchart: forwards along the steps, dotted from each undo to the one before it. */
export function mermaid(name: string, steps: readonly Step[]): string {
  const lines = ['flowchart LR', `  start(("${label(name)}"))`, ...steps.map((step, i) => `  s${i}${shape(step)}`), '  done(("done"))']
  const nodes = ['start', ...steps.map((_, i) => `s${i}`), 'done']
  for (let i = 1; i < nodes.length; i++) lines.push(`  ${nodes[i - 1]} --> ${nodes[i]}`)
  lines.push(...backwards(steps))
  return `${lines.join('\n')}\n`
}

function shape({ kind, name }: Step): string {
  if (kind === 'pivot') return `{{"${label(name)}"}}`
  if (kind === 'read') return `(["${label(name)}"])`
  return kind === 'after' ? `[["${label(name)}"]]` : `["${label(name)}"]`
}

function backwards(steps: readonly Step[]): string[] {
  const undone = steps.flatMap((step, i) => (step.undo === undefined ? [] : [{ name: step.name, i }])).reverse()
  if (undone.length === 0) return []
  const lines = undone.map(({ name, i }) => `  u${i}["undo ${label(name)}"]`)
  lines.push('  undone(("undone"))')
  for (const { i } of undone) lines.push(`  s${i} -.-> u${i}`)
  const chain = [...undone.map(({ i }) => `u${i}`), 'undone']
  for (let n = 1; n < chain.length; n++) lines.push(`  ${chain[n - 1]} -.-> ${chain[n]}`)
  return lines
}
