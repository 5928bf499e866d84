// npm run demo: a few hundred orders, two kills, and the proof that nothing was lost or doubled.
import { readFileSync } from 'node:fs'
import { cleanUpOnExit } from './driver/children.ts'
import { type Options, readOptions, USAGE } from './driver/options.ts'
import { prove } from './driver/proofs.ts'
import { type Result, run } from './driver/run.ts'
import { bold, dim, green, openScreen, red, type Screen } from './driver/screen.ts'
import { endingsTable, troubleTable } from './driver/tables.ts'
import { orderToShow, timeline } from './driver/timeline.ts'
import { Order } from './order.ts'

function readOrders(): readonly Order[] {
  const lines = readFileSync(new URL('./orders.ndjson', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map((line) => Order.parse(JSON.parse(line)))
}

function introduce({ seed, broken }: Options, orders: readonly Order[]): void {
  console.log(`${bold('holdfast checkout demo')} · ${orders.length} orders · seed ${seed}\n`)
  console.log('Each order is a saga in a SQLite journal: reserve stock → book a courier → [charge the card] → ship the parcel.')
  console.log('Three services answer slowly, fail, lose replies and go down for a second each. The order service is killed twice.')
  if (broken) console.log(red(`--break ${broken.name}: the ${broken.service} service misbehaves on purpose, so a proof has to fail.`))
  console.log()
}

async function showTimeline({ evidence, kills, shop }: Result): Promise<void> {
  const order = orderToShow(evidence.ledger, kills)
  if (order === undefined) return
  const hit = kills.some(({ interrupted }) => interrupted.includes(order))
  console.log(bold(`\nA compensated order: ${order}${hit ? ', interrupted by a kill' : ''}`))
  for (const line of timeline(order, evidence.ledger, await shop.records(order), kills)) console.log(line)
}

/** Prints each proof and returns the claims that do not hold. */
function showProofs({ evidence }: Result): readonly string[] {
  console.log(bold("\nProofs, from the participants' own ledgers"))
  const proofs = prove(evidence)
  for (const { claim, detail, violations } of proofs) {
    console.log(`  ${violations.length === 0 ? green('PROVED') : red('FAILED')}  ${claim}`)
    console.log(dim(`          ${detail}`))
    for (const violation of violations.slice(0, 5)) console.log(red(`          ${violation}`))
    if (violations.length > 5) console.log(red(`          and ${violations.length - 5} more`))
  }
  return proofs.filter(({ violations }) => violations.length > 0).map(({ claim }) => claim)
}

async function demo(options: Options, screen: Screen): Promise<void> {
  const orders = readOrders()
  introduce(options, orders)
  const result = await run(options, orders, screen)
  await showTimeline(result)
  console.log(bold('\nWhat went wrong on purpose'))
  for (const line of troubleTable(await result.participants.stats(), result.evidence.ledger, result.shop.opened)) console.log(line)
  console.log(bold('\nHow the orders ended, and what really happened'))
  for (const line of endingsTable(result.evidence.ledger)) console.log(line)
  const failed = showProofs(result)
  console.log(failed.length === 0 ? bold(green('\nALL PROOFS HOLD')) : bold(red(`\nNOT PROVED: ${failed.join('; ')}`)))
  console.log(dim(`${(screen.elapsedMs / 1_000).toFixed(1)} s · the same again: npm run demo -- --seed ${options.seed}`))
  process.exitCode = failed.length === 0 ? 0 : 1
}

function optionsOrUsage(): Options | undefined {
  try {
    const options = readOptions(process.argv.slice(2))
    if (options !== 'help') return options
    console.log(USAGE)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exitCode = 2
  }
  return undefined
}

cleanUpOnExit()
const options = optionsOrUsage()
try {
  if (options !== undefined) await demo(options, openScreen())
} catch (error) {
  console.error(red(`The demo did not come to its end: ${error instanceof Error ? error.message : String(error)}`))
  process.exitCode = 1
}
// Children end with this process, and timers that are left need not be waited for.
process.exit()
