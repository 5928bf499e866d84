// The last lines of a run: what was skipped and why, then the counts on a line of their own.
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

function skippedFor(test: TestCase): string {
  const result = test.result()
  if (result.state === 'skipped' && result.note) return result.note
  for (let at: TestCase | TestSuite | TestModule = test; at.type !== 'module'; at = at.parent) {
    const reason = at.meta().skippedFor
    if (reason) return reason
  }
  return `no reason given: ${test.module.relativeModuleId}`
}

export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandled.length, skipped: 0 }
    const reasons = new Map<string, number>()
    for (const module of modules) {
      // A file that could not be loaded has no tests to count.
      if (module.errors().length > 0) counts.failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'pending') continue
        counts[state] += 1
        if (state === 'skipped') reasons.set(skippedFor(test), (reasons.get(skippedFor(test)) ?? 0) + 1)
      }
    }
    const lines = [...reasons].map(([reason, count]) => `  ${count} × ${reason}`)
    if (lines.length > 0) console.log(['Skipped:', ...lines].join('\n'))
    console.log(`\nTests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  }
}
