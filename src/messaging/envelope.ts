import type { Context, ContextChange, TraceContext } from '../core/context.ts'
import { contextFromHeaders } from '../core/headers.ts'
import { formatTraceparent } from '../core/trace-headers.ts'
import type { Delivery, TransportMessage } from '../ports/transport.ts'
import type { EventDefinition } from './event.ts'
import type { Message } from './message.ts'

export interface Sealing {
  readonly id: string
  readonly key: string | undefined
  /** JSON text. */
  readonly data: string
  readonly context: Context | undefined
  readonly service: string | undefined
  readonly epochMs: number
  readonly expiresMs: number | undefined
}

/** Puts an event's data into the shape that transports carry. */
export function seal(definition: EventDefinition<unknown>, sealing: Sealing): TransportMessage {
  const { id, key, data, context, service, epochMs, expiresMs } = sealing
  return {
    id,
    name: definition.name,
    version: definition.version,
    ...(key !== undefined && { key }),
    data,
    publishedEpochMs: epochMs,
    ...(expiresMs !== undefined && { expiresEpochMs: epochMs + expiresMs }),
    attributes: {
      correlationid: context?.correlationId ?? id,
      ...(service !== undefined && { source: service }),
      ...(context?.causationId !== undefined && { causationid: context.causationId }),
      ...(context?.tenant !== undefined && { tenant: context.tenant }),
      ...(context?.trace !== undefined && traceAttributes(context.trace)),
    },
  }
}

/** What the handler is given. */
export function unseal<T>({ message, tries }: Delivery, data: T): Message<T> {
  const { attributes, key, expiresEpochMs } = message
  return {
    id: message.id,
    name: message.name,
    version: message.version,
    data,
    attempt: tries.attempt,
    publishedEpochMs: message.publishedEpochMs,
    ...(expiresEpochMs !== undefined && { expiresEpochMs }),
    ...(key !== undefined && { key }),
    correlationId: attributes.correlationid ?? message.id,
    ...(attributes.causationid !== undefined && { causationId: attributes.causationid }),
    ...(attributes.tenant !== undefined && { tenant: attributes.tenant }),
    ...(attributes.source !== undefined && { source: attributes.source }),
  }
}

/** What the handler's context is made with. What it publishes was caused by this message, and belongs to the same correlation. */
export function contextOf({ message, tries }: Delivery, group: string, epochMs: number): ContextChange {
  const { attributes, expiresEpochMs } = message
  const trace = attributes.traceparent === undefined ? undefined : contextFromHeaders(attributes).trace
  return {
    attempt: tries.attempt,
    idempotencyKey: `${message.id}:${group}`,
    correlationId: attributes.correlationid ?? message.id,
    causationId: message.id,
    ...(attributes.tenant !== undefined && { tenant: attributes.tenant }),
    ...(trace !== undefined && { trace }),
    ...(expiresEpochMs !== undefined && { timeoutMs: Math.max(0, expiresEpochMs - epochMs) }),
  }
}

function traceAttributes(trace: TraceContext): Record<string, string> {
  const traceparent = formatTraceparent(trace)
  if (traceparent === undefined) return {}
  return { traceparent, ...(trace.state && { tracestate: trace.state }), ...(trace.baggage && { baggage: trace.baggage }) }
}
