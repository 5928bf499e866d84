// Who may import whom, from the lists of imports alone.
import { importsOf, type Source } from './sources.ts'

const domain = ['core', 'ports', 'resilience', 'messaging', 'saga', 'cqrs', 'registry', 'mesh', 'gateway', 'strangler']
const everything = [...domain, 'sidecar', 'adapters', 'integrations', 'testing', 'app']

/** Room → the rooms it may import, besides itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core'],
  resilience: ['core', 'ports'],
  messaging: ['core', 'ports', 'resilience'],
  registry: ['core', 'ports', 'resilience'],
  saga: ['core', 'ports', 'resilience', 'messaging'],
  cqrs: ['core', 'ports', 'resilience', 'messaging'],
  mesh: ['core', 'ports', 'resilience', 'registry'],
  gateway: ['core', 'ports', 'resilience', 'registry', 'mesh'],
  strangler: ['core', 'ports', 'resilience', 'messaging', 'gateway'],
  sidecar: domain,
  testing: ['core', 'ports', 'resilience', 'saga', 'messaging'],
  app: everything,
  cli: everything,
  console: everything,
  index: everything,
}
/**
 * Rooms that are islands: one folder per engine or host, none importing another; what several share is a `<name>-shared`. An integration
 * adds the area it serves.
 */
const islands: Readonly<Record<string, readonly string[]>> = { adapters: ['core', 'ports'], integrations: ['core'] }
const serves: Readonly<Record<string, readonly string[]>> = {
  fetch: ['resilience'],
  undici: ['resilience'],
  axios: ['resilience'],
  pg: ['resilience'],
  express: ['app'],
  drizzle: ['ports'],
  kysely: ['ports'],
  prisma: ['ports'],
}

const roomOf = (path: string) => (path === 'src/index.ts' ? 'index' : (path.split('/')[1] ?? ''))
const islandOf = (path: string) => path.split('/')[2] ?? ''

function refusal(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) {
    if (roomOf(from) !== 'core' || to.startsWith('node:') || to === 'eventemitter3') return undefined
    return 'core imports no package but eventemitter3'
  }
  const [room, target] = [roomOf(from), roomOf(to)]
  const shared = islandOf(to).endsWith('-shared')
  if (room === target) return room in islands && islandOf(from) !== islandOf(to) && !shared ? `${room} are islands` : undefined
  const may = room === 'integrations' ? [...(islands[room] ?? []), ...(serves[islandOf(from)] ?? [])] : (islands[room] ?? allowed[room])
  if (!may) return `no row for ${room} in the import table`
  return may.includes(target) ? undefined : `${room} may import ${may.join(', ') || 'nothing'}`
}

/** One line for each import that the table does not allow. */
export const forbiddenImports = (sources: readonly Source[]): string[] =>
  sources.flatMap((source) =>
    importsOf(source).flatMap(({ line, statement, target }) => {
      const reason = refusal(source.path, target)
      return reason ? [`${source.path}:${line}: ${statement} (${reason})`] : []
    }),
  )

/** Each cycle once, as `a → b → a`. Type imports count: what cannot be read alone cannot be changed alone. */
export function cycles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map((source) => [source.path, importsOf(source).map(({ target }) => target)]))
  const found: string[] = []
  const finished = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(path)
    if (seen >= 0) found.push([...trail.slice(seen), path].join(' → '))
    if (seen >= 0 || finished.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    finished.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}
