import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import {
  adaptiveBulkhead,
  bulkhead,
  cache,
  chaos,
  circuitBreaker,
  coalesce,
  fallback,
  fleet,
  hedge,
  keyed,
  rateLimit,
  retry,
  slidingWindow,
  timeout,
} from '../../src/index.ts'
import { thrownBy } from './support.ts'

interface Heard {
  on(event: string, listener: () => void): () => void
  once(event: string, listener: () => void): () => void
}

/** Under their names in the guide. */
const each: Record<string, () => unknown> = {
  timeout: () => timeout({ timeoutMs: 1 }),
  retry: () => retry(),
  circuitBreaker: () => circuitBreaker(),
  bulkhead: () => bulkhead(),
  adaptiveBulkhead: () => adaptiveBulkhead(),
  rateLimit: () => rateLimit({ limit: slidingWindow({ calls: 1, windowMs: 1 }) }),
  fleet: () => fleet(circuitBreaker(), { store: memoryStorage() }),
  hedge: () => hedge(),
  cache: () => cache({ by: 'k', ttlMs: 1 }),
  coalesce: () => coalesce({ by: 'k' }),
  keyed: () => keyed(() => bulkhead(), { by: 'k' }),
  chaos: () => chaos(),
  fallback: () => fallback(null),
}

const guide = readFileSync(new URL('../../docs/guides/tuning.md', import.meta.url), 'utf8')
const documented = (policy: string): string[] => {
  const row = new RegExp(`^\\| \`${policy}\` \\| .* \\| (\`[^|]*) \\|$`, 'm').exec(guide)?.[1] ?? ''
  return [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name as string)
}

describe.each(Object.entries(each))('%s', (policy, make) => {
  const made = make() as Heard
  const refused = (verb: 'on' | 'once', event: string) => thrownBy(() => made[verb](event, () => {}))

  test.each(['on', 'once'] as const)('can be listened to (%s) for each event of the guide, and for nothing else', (verb) => {
    const events = documented(policy)
    expect(events).not.toEqual([])
    for (const event of events) made[verb](event, () => {})()
    const { code, effect, message } = refused(verb, 'open') as Error & { code: string; effect: string }
    expect([code, effect]).toEqual(['INVALID_OPTIONS', 'none'])
    const named = / must be one of (.*), got "open"$/.exec(message)?.[1] ?? ''
    expect(named.split(', ').toSorted()).toEqual(events.toSorted())
  })

  test.each(['toString', '', 'constructor', undefined, Symbol.iterator])('refuses %s as an event', (event) => {
    expect(refused('on', event as string)).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})
