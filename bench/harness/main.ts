// node main.js <bundled suite> [--case <text>] [--json]; started by bench/run.mjs with the flags that it needs.
import { parseArgs } from 'node:util'
import { type Measurable, measure } from './measure.ts'
import { baselineKey, baselinesOf, caseKey, rowsOf, table } from './report.ts'
import type { Suite } from './suite.ts'

const { values, positionals } = parseArgs({
  options: { case: { type: 'string', default: '' }, json: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [bundle = ''] = positionals
let instances = 0
/** A module instance of its own, the library included: no subject sees code that another has warmed up. */
const freshSuite = async () => ((await import(`${bundle}?instance=${instances++}`)) as { readonly default: Suite }).default

const suite = await freshSuite()
const cases = suite.cases.filter(({ name }) => name.includes(values.case))
if (cases.length === 0) {
  console.error(`No case of suite ${suite.name} contains "${values.case}". There are: ${suite.cases.map(({ name }) => name).join(' · ')}`)
  process.exit(2)
}

const subjects = new Map<string, Measurable>()
const higher = new Set<string>()
for (const item of cases) {
  const keys = [caseKey(item)]
  const own = (await freshSuite()).cases.find(({ name }) => name === item.name)
  if (own) subjects.set(caseKey(item), own)
  for (const baseline of baselinesOf(suite, item)) {
    const key = baselineKey(item, baseline)
    keys.push(key)
    const subject = subjects.has(key) ? undefined : (await freshSuite()).baselines[baseline]
    if (subject) subjects.set(key, { ...subject, throws: item.throws === true })
  }
  if (item.better === 'higher') for (const key of keys) higher.add(key)
}

const rows = rowsOf(suite, cases, await measure(subjects, higher))
if (values.json) {
  for (const { line } of rows) console.log(JSON.stringify(line))
} else {
  console.log(
    `${suite.name} on Node ${process.versions.node}: quiet deciles of interleaved rounds, each case against its baseline in this run\n`,
  )
  console.log(table(rows, process.stdout.isTTY === true))
}
// What a suite has opened does not keep the process alive.
process.exit(0)
