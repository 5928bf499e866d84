import { checkOptions, invalidOption } from '../core/options.ts'
import { any, fn, optional, required, whole } from '../core/rules.ts'
import { isSchema, type Schema } from '../core/schema.ts'

export interface EventOptions<T> {
  /** Any Standard Schema (zod, valibot, arktype). What it returns is what is sent, so it has to accept that in turn. */
  readonly schema: Schema<T>
  /** What a message is about (an order's id): messages of one key keep their order. 1 to 255 characters. Default: none. */
  readonly key?: (data: T) => string
  /** Version of the schema; a whole number of at least 1, default 1. */
  readonly version?: number
}

/** A kind of event: its name, what its data has to look like, and what orders it. Made by `event()`. */
export interface EventDefinition<T> {
  readonly kind: 'event'
  readonly name: string
  readonly schema: Schema<T>
  readonly version: number
  /** Absent where order does not matter. */
  key?(data: T): string
}

/** Words of letters, digits, `_` and `-`, joined by dots; `*` is left for wildcards. */
const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const isName =
  (max: number) =>
  (value: unknown): boolean =>
    typeof value === 'string' && value.length <= max && NAME.test(value)

/** Groups share the rule, but are shorter: a message's id and its group together make an idempotency key. */
export const GROUP_RULE = required(any<string>('1 to 100 letters, digits, _ and -, in words joined by dots', isName(100), ''))

/** Asked of a definition: only what `event` made. */
export const isEvent = (value: unknown): value is EventDefinition<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  (value as { kind?: unknown }).kind === 'event' &&
  isSchema((value as { schema?: unknown }).schema)

/**
 * Defines a kind of event. Data, checked here and touching nothing: publish it with `bus.publish`, receive it with `subscription`.
 *
 * @param name - words of letters, digits, `_` and `-`, joined by dots, at most 200 characters: `shop.order.placed`.
 * @param options
 * - `schema`: any Standard Schema; checked when publishing and again when receiving.
 * - `key`: what a message is about; messages of one key reach each group in the order they were published. Default: no order.
 * - `version`: of the schema, a whole number of at least 1, default 1. It travels with the message.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when the name or an option does not fit.
 * @example
 * ```ts
 * export const OrderPlaced = event('shop.order.placed', {
 *   schema: z.object({ orderId: z.string(), total: z.number() }),
 *   key: (order) => order.orderId,
 * })
 * ```
 */
export function event<T>(name: string, options: EventOptions<T>): EventDefinition<T> {
  if (!isName(200)(name)) throw invalidOption('event', 'name', '1 to 200 letters, digits, _ and -, in words joined by dots', name)
  const { schema, key, version } = checkOptions(`event ${name}`, options, {
    schema: required(any<Schema<T>>('a Standard Schema (zod, valibot, arktype)', isSchema, undefined as never)),
    key: optional(fn<(data: T) => string>(() => '')),
    version: whole({ min: 1, default: 1 }),
  })
  return Object.freeze({ kind: 'event', name, schema, version, ...(key && { key }) })
}
