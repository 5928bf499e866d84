export type { Health } from './app/health.ts'
export { type Holdfast, type HoldfastOptions, holdfast } from './app/holdfast.ts'
export type { ClosableServer } from './app/servers.ts'
export type { StopOptions } from './app/stop-options.ts'
export { ambientContext, enableAmbient, runAmbient } from './core/ambient.ts'
export type { Clock, Timer } from './core/clock.ts'
export type { Context, ContextChange, TraceContext } from './core/context.ts'
export { type ContextInit, createContext } from './core/create-context.ts'
export { declined, failed, type HoldfastCode, HoldfastError, type HoldfastErrorOptions, refusal } from './core/errors.ts'
export type { Events } from './core/events.ts'
export type { Guard, GuardContext, Permit, Refusal } from './core/guard.ts'
export { guard } from './core/guard-policy.ts'
export type { Handler, Layer, Policy, Recovery, RunOptions, Task, WrapOptions, Wrapper } from './core/handler.ts'
export { contextFromHeaders, type HeaderSource, headersFromContext, type IgnoredHeader } from './core/headers.ts'
export { uuidv7 } from './core/ids.ts'
export type { Effect, Outcome, Source, Verdict } from './core/outcome.ts'
export { policies, policy } from './core/policy.ts'
export type { Schema } from './core/schema.ts'
export { type Stack, stack } from './core/stack.ts'
export {
  type EventBus,
  type EventDefinition,
  type EventOptions,
  event,
  type Message,
  type PublishOptions,
  type Subscription,
  type SubscriptionOptions,
  subscription,
} from './messaging/index.ts'
export type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from './ports/checkpoints.ts'
export type {
  AppendCondition,
  AppendOptions,
  AppendReceipt,
  AppendRequest,
  AppendRequests,
  AppendVerdict,
  AppendVerdicts,
  EventQuery,
  EventStore,
  EventStoreStats,
  Expectation,
  JoinedEvents,
  LogBatch,
  LogHead,
  LogRead,
  NewEvent,
  StoredEvent,
  StreamRead,
  StreamWrite,
} from './ports/event-store.ts'
export type { KeyChange, KeyEntry, KeyFilter, KeyValue, PutOptions, PutVerdict } from './ports/key-value.ts'
export type { Lease, LeaseGrant } from './ports/lease.ts'
export type { Logger } from './ports/logger.ts'
export type { Listener, Notifier } from './ports/notifier.ts'
export type { PartHealth } from './ports/part.ts'
export type { Engine, Storage } from './ports/storage.ts'
export type { Transactions } from './ports/transactions.ts'
export type { Transport } from './ports/transport.ts'
export * from './resilience/index.ts'
export {
  type SagaDefinition,
  type SagaHandle,
  type SagaStartOptions,
  type SagaStatus,
  type Sagas,
  saga,
  type UndoContext,
} from './saga/index.ts'
