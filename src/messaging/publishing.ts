import { createHash } from 'node:crypto'
import { abortedError } from '../core/abort-errors.ts'
import { ambientContext } from '../core/ambient.ts'
import type { Clock } from '../core/clock.ts'
import type { Context } from '../core/context.ts'
import { type Ctx, isContext } from '../core/ctx.ts'
import { HoldfastError, refusal } from '../core/errors.ts'
import { uuidv7 } from '../core/ids.ts'
import { toJson } from '../core/json.ts'
import { checkOptions, invalidOption, show } from '../core/options.ts'
import { any, durationMs, optional, text } from '../core/rules.ts'
import { parse } from '../core/schema.ts'
import type { Transport } from '../ports/transport.ts'
import { headOf, type Tell } from './bus-events.ts'
import { seal } from './envelope.ts'
import { type EventDefinition, isEvent } from './event.ts'
import type { PublishOptions } from './event-bus.ts'

export interface PublishingHost {
  readonly transport: Transport
  readonly clock: Clock
  readonly service: string | undefined
  readonly tell: Tell
  /** Throws while the bus is not started. */
  checkStarted(): void
}

const rules = {
  tx: any<unknown>('absent', () => true, undefined),
  context: optional(any<Context>('a context made by createContext()', isContext, undefined as never)),
  idempotencyKey: optional(text('')),
  expiresMs: optional(durationMs({ min: 1, default: 1 })),
}
const NO_OPTIONS = { tx: undefined, context: undefined, idempotencyKey: undefined, expiresMs: undefined }

/** The way of an event into the transport. Everything that can be refused is refused before anything is sent. */
export class Publishing {
  readonly #host: PublishingHost
  constructor(host: PublishingHost) {
    this.#host = host
  }

  async publish(event: EventDefinition<unknown>, payload: unknown, options: PublishOptions | undefined): Promise<{ readonly id: string }> {
    if (!isEvent(event)) throw invalidOption('publish', 'event', 'made by event()', event)
    const {
      tx,
      idempotencyKey,
      expiresMs,
      context: given,
    } = options === undefined ? NO_OPTIONS : checkOptions(`publish ${event.name}`, options, rules)
    if (tx !== undefined) throw noTransactions(event, this.#host.transport)
    this.#host.checkStarted()
    const context = given ?? ambientContext()
    if (context?.aborted === true) throw abortedError(context as Ctx, false)

    const data = await parse(event.name, event.schema, payload)
    const { transport, clock, service, tell } = this.#host
    const epochMs = clock.epochMs()
    const id = idempotencyKey === undefined ? uuidv7(epochMs) : idFrom(event.name, idempotencyKey)
    const message = seal(event, { id, key: keyOf(event, data), data: toJson(event.name, data), context, service, epochMs, expiresMs })
    const [verdict] = await transport.publish([message], context)
    if (verdict === undefined) throw new HoldfastError('FAILED', `publish ${event.name}: the ${transport.engine} transport gave no answer`)
    if (verdict.result !== 'confirmed') throw verdict.error
    tell('published', { message: headOf(message) })
    return { id }
  }
}

/** Keys are short: they are kept with every message, and compared. */
const KEY_MAX = 255

function keyOf(event: EventDefinition<unknown>, data: unknown): string | undefined {
  if (event.key === undefined) return undefined
  const key: unknown = event.key(data)
  if (typeof key === 'string' && key.length > 0 && key.length <= KEY_MAX) return key
  throw new HoldfastError('INVALID_INPUT', `${event.name}: its key must be a text of 1 to ${KEY_MAX} characters, got ${show(key)}`, {
    effect: 'none',
    retry: 'never',
    details: { event: event.name, key },
  })
}

/** A fixed length whatever the key, and another id for another event under the same key. */
const idFrom = (name: string, idempotencyKey: string): string =>
  createHash('sha256').update(`${name}\n${idempotencyKey}`).digest('hex').slice(0, 32)

const noTransactions = (event: EventDefinition<unknown>, { engine, cannot }: Transport): HoldfastError =>
  refusal(
    'TX_NOT_OPEN',
    `publish ${event.name}: ${cannot.transactions ?? `the ${engine} transport cannot join this tx`}; nothing was published`,
    {
      retry: 'never',
      details: { event: event.name, engine },
    },
  )
