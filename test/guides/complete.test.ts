import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as resilience from '../../src/resilience/index.ts'
import { guideText, root } from './snippets.ts'

/** Which of these names do not stand in the guide's text as inline code. */
function missing(guide: string, names: readonly string[]): readonly string[] {
  const prose = guideText(guide).replace(/^```[\s\S]*?^```$/gm, '')
  const words = new Set([...prose.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => code.split(/[^A-Za-z]+/)))
  return [...new Set(names)].filter((name) => !words.has(name))
}

const split = (text: string): readonly string[] => text.trim().split(/\s+/)

/** The members of every exported interface or type whose name ends so, over the sources of the policies. */
function membersOf(suffix: RegExp): readonly string[] {
  const folder = join(root, 'src/resilience')
  const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))
  return sources.flatMap((source) =>
    [...source.matchAll(/^export (?:interface|type) (\w+)[^{\n]*\{(?: (.*) \}|\n([\s\S]*?)^\})$/gm)]
      .filter(([, name = '']) => suffix.test(name))
      .flatMap(([, , line = '', lines = '']) =>
        [...`  ${line}\n${lines}`.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member),
      ),
  )
}

test('tuning names every option, every number of stats() and every event', () => {
  const named = [...membersOf(/(?:Options|Settings)$/), ...membersOf(/Stats$/), ...membersOf(/Events$/)]
  expect(named.length).toBeGreaterThan(80)
  expect(missing('tuning.md', named)).toEqual([])
})

test('choosing policies names every factory that makes a policy', () => {
  const helpers = split(
    'aimd consecutive countWindow gradient2 httpFailures metrics postgresFailures redisFailures slidingWindow tokenBucket',
  )
  expect(
    missing(
      'choosing-policies.md',
      Object.keys(resilience).filter((name) => !helpers.includes(name)),
    ),
  ).toEqual([])
})

describe('from opossum 9: the guide names', () => {
  const options = `abortController allowWarmUp autoRenewAbortController cache cacheGetKey cacheSize cacheTTL cacheTransport capacity coalesce
    coalesceResetOn coalesceSize coalesceTTL enableSnapshots enabled errorFilter errorThresholdPercentage group maxFailures name resetTimeout
    rollingCountBuckets rollingCountTimeout rollingPercentilesEnabled rotateBucketController state status timeout volumeThreshold`
  const members = `call clearCache close closed disable enable enabled fallback fire getAbortController getSignal group halfOpen healthCheck
    isOurError isShutdown name newStatus open opened pendingClose shutdown stats status toJSON volumeThreshold warmUp window`
  const stats = `cacheHits cacheMisses coalesceCacheHits coalesceCacheMisses failures fallbacks fires latencyMean latencyTimes percentiles
    rejects semaphoreRejections successes timeouts`
  const events = `cacheHit cacheMiss close coalesceCacheHit coalesceCacheMiss failure fallback fire halfOpen healthCheckFailed open reject
    semaphoreLocked shutdown snapshot success timeout`

  test.each(Object.entries({ options, members, stats, events }))('all of its %s', (_, names) => {
    expect(missing('from-opossum.md', split(names))).toEqual([])
  })
})

describe('from cockatiel 3.2: the guide names', () => {
  const functions = `bulkhead circuitBreaker fallback handleAll handleResultType handleType handleWhen handleWhenResult noop orResultType
    orType orWhen orWhenResult retry timeout usePolicy wrap wrapped`
  const classes = `BrokenCircuitError BulkheadRejectedError ConsecutiveBreaker ConstantBackoff CountBreaker DelegateBackoff EventEmitter
    ExponentialBackoff HydratingCircuitError IBreaker IsolatedCircuitError IterableBackoff SamplingBreaker TaskCancelledError TimeoutStrategy
    decorrelatedJitterGenerator fullJitterGenerator halfJitterGenerator isBrokenCircuitError noJitterGenerator`
  const options = `abortOnReturn backoff breaker duration exponent generator halfOpenAfter initialDelay initialState maxAttempts maxDelay
    minimumNumberOfCalls minimumRps size strategy threshold`
  const members = `attempt dangerouslyUnref dispose execute executionSlots isolate lastFailure queueSlots signal state toJSON`
  const events = `onBreak onFailure onGiveUp onHalfOpen onReject onReset onRetry onStateChange onSuccess onTimeout`

  test.each(Object.entries({ functions, classes, options, members, events }))('all of its %s', (_, names) => {
    expect(missing('from-cockatiel.md', split(names))).toEqual([])
  })
})
