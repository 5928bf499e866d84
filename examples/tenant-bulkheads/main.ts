// A noisy tenant asks for a hundred reports, a quiet one then for five. Four reports can be made at a time. Who waits for whom?
import { setTimeout as wait } from 'node:timers/promises'
import { bulkhead, createContext, HoldfastError, keyed, type Policy, policies } from 'holdfast'

interface Served {
  /** The tenants, in the order in which their reports were begun. */
  readonly order: readonly string[]
  readonly refused: Readonly<Record<string, number>>
  readonly mostAtOnce: number
}

async function serve(guard: Policy): Promise<Served> {
  const order: string[] = []
  const refused: Record<string, number> = { noisy: 0, quiet: 0 }
  let running = 0
  let mostAtOnce = 0
  const report = async (tenant: string): Promise<void> => {
    order.push(tenant)
    running += 1
    mostAtOnce = Math.max(mostAtOnce, running)
    await wait(1)
    running -= 1
  }
  const ask = async (tenant: string): Promise<void> => {
    try {
      await guard.run(() => report(tenant), { context: createContext({ tenant }) })
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'BULKHEAD_FULL')) throw error
      refused[tenant] = (refused[tenant] ?? 0) + 1
    }
  }
  await Promise.all([...Array<string>(100).fill('noisy'), ...Array<string>(5).fill('quiet')].map(ask))
  return { order, refused, mostAtOnce }
}

function show(what: string, { order, refused, mostAtOnce }: Served): void {
  const places = order.flatMap((tenant, index) => (tenant === 'quiet' ? [index + 1] : []))
  console.log(what)
  console.log(`  quiet's reports were begun as number ${places.join(', ')} of ${order.length}`)
  console.log(`  refused: ${refused.noisy} of noisy, ${refused.quiet} of quiet; at most ${mostAtOnce} at once`)
}

show('One bulkhead, first come, first served', await serve(bulkhead({ concurrent: 4, queued: 200 })))

show('One bulkhead, tenants in turns', await serve(bulkhead({ concurrent: 4, queued: 200, order: { fairBy: 'tenant' } })))

const ownDoor = keyed(() => bulkhead({ concurrent: 2, queued: 20 }), { by: 'tenant' })
const shared = bulkhead({ concurrent: 4, queued: 200, order: { fairBy: 'tenant' } })
show('A door of two per tenant, before the shared one', await serve(policies(ownDoor, shared)))
