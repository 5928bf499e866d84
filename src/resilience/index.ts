export type { CircuitBreakerOptions, CircuitBreakerSettings } from './breaker-options.ts'
export type { BreakerEvents, BreakerState, BreakerStats, Isolation } from './breaker-readouts.ts'
export type { BreakerSnapshot } from './breaker-snapshot.ts'
export { type Bulkhead, bulkhead } from './bulkhead.ts'
export type { BulkheadEvents, BulkheadStats } from './bulkhead-guard.ts'
export type { BulkheadOptions, BulkheadSettings, FairOrder, PriorityOrder } from './bulkhead-options.ts'
export { type Cache, cache } from './cache.ts'
export type { CacheEvents, CacheOptions, CacheSettings, CacheStats } from './cache-options.ts'
export type { CallKey } from './call-key.ts'
export { type Chaos, chaos } from './chaos.ts'
export type { ChaosEvents, ChaosOptions, ChaosSettings, ChaosStats } from './chaos-options.ts'
export { type CircuitBreaker, circuitBreaker } from './circuit-breaker.ts'
export { httpFailures, postgresFailures, redisFailures } from './classifiers.ts'
export { type Coalesce, coalesce } from './coalesce.ts'
export type { CoalesceEvents, CoalesceOptions, CoalesceStats } from './coalesce-options.ts'
export { fallback } from './fallback.ts'
export { type Fleet, fleet } from './fleet.ts'
export type { FleetOptions, Quorum } from './fleet-options.ts'
export type { FleetEvents, FleetStats } from './fleet-readouts.ts'
export { type Hedge, hedge } from './hedge.ts'
export type { HedgeEvents, HedgeOptions, HedgeSettings, HedgeStats } from './hedge-options.ts'
export { type Keyed, keyed } from './keyed.ts'
export type { KeyedEvents, KeyedOptions, KeyedStats } from './keyed-options.ts'
export { type Limit, type SlidingWindowOptions, slidingWindow, type TokenBucketOptions, tokenBucket } from './limits.ts'
export type { Managed } from './managed.ts'
export { metrics, type PolicyMetrics } from './metrics.ts'
export { type RateLimit, type RateLimitOptions, rateLimit } from './rate-limit.ts'
export type { RateLimitEvents, RateLimitSettings, RateLimitStats } from './rate-readouts.ts'
export { type Retry, type RetryPolicyOptions, retry } from './retry.ts'
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './retry-budget.ts'
export type { RetryOptions } from './retry-options.ts'
export type { RetryEvents, RetryStats } from './retrying.ts'
export type { SharedRateOptions } from './shared-rate-options.ts'
export { type Timeout, type TimeoutEvents, type TimeoutOptions, type TimeoutStats, timeout } from './timeout.ts'
export {
  type CountWindowOptions,
  consecutive,
  countWindow,
  type TallyCounts,
  type TimeWindowOptions,
  type Trip,
  timeWindow,
} from './trip.ts'
