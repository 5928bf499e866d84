import { join } from 'node:path'
import { type LedgerLine, readLedger, type Service } from '../participants/ledger.ts'
import type { ParticipantStats } from '../participants/participant.ts'
import { type Child, startChild } from './children.ts'
import type { Options } from './options.ts'
import { until } from './waiting.ts'

export const SERVICES = ['inventory', 'payment', 'shipping'] as const satisfies readonly Service[]

export interface Participants {
  readonly url: Readonly<Record<Service, string>>
  readonly pid: Readonly<Record<Service, number>>
  /** Starts their clocks: outages are counted from here. */
  open(): Promise<void>
  /** Resolves when no request is waiting inside any of them, late effects included. */
  idle(): Promise<void>
  stats(): Promise<Readonly<Record<Service, ParticipantStats>>>
  ledger(): readonly LedgerLine[]
}

async function perService<T>(of: (service: Service) => Promise<T>): Promise<Record<Service, T>> {
  const found = await Promise.all(SERVICES.map(async (service) => [service, await of(service)] as const))
  return Object.fromEntries(found) as Record<Service, T>
}

export async function startParticipants(folder: string, { seed, broken }: Options): Promise<Participants> {
  const file = (service: Service) => join(folder, `${service}.ledger.ndjson`)
  const start = (service: Service): Promise<Child> => {
    const misbehaves = broken?.service === service ? broken.misbehaves : {}
    return startChild(`participants/${service}`, { SEED: String(seed), LEDGER: file(service), BREAK: JSON.stringify(misbehaves) })
  }
  const children = await perService(start)
  const ask = async (service: Service, path: string) => (await fetch(children[service].url + path)).json()
  const stats = () => perService((service) => ask(service, '/demo/stats') as Promise<ParticipantStats>)
  return {
    url: await perService(async (service) => children[service].url),
    pid: await perService(async (service) => children[service].pid),
    open: async () => void (await perService((service) => ask(service, '/demo/open'))),
    idle: () => until(async () => Object.values(await stats()).every(({ pending }) => pending === 0), 100),
    stats,
    ledger: () => SERVICES.flatMap((service) => readLedger(file(service))),
  }
}
