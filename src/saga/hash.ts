import { createHash } from 'node:crypto'
import type { Step } from './definition.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Changes with the name, the version, and the names, kinds and order of the steps; not with what their functions do. */
export const definitionHash = (name: string, version: number, steps: readonly Step[]): string =>
  sha256(JSON.stringify([name, version, steps.map((step) => [step.kind, step.name])])).slice(0, 32)

/** The same for values that differ in the order of their keys only. Takes what `toJson` has accepted. */
export const inputHash = (value: unknown): string => sha256(JSON.stringify(sorted(value)) ?? 'null').slice(0, 32)

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return ['list', ...value.map(sorted)]
  const object = value as Record<string, unknown>
  const keys = Object.keys(object).filter((key) => object[key] !== undefined)
  return ['object', ...keys.sort().map((key) => [key, sorted(object[key])])]
}

/**
 * The idempotency key of a step: the same for every attempt, in every process. In the form of a UUID, version 8.
 *
 * Source: RFC 9562, section 5.8.
 */
export function stepKey(saga: string, id: string, step: string, generation = 0): string {
  const hex = sha256(JSON.stringify([saga, id, step, generation]))
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The shard a saga belongs to, from 0 to `shards` - 1. */
export const shardOf = (id: string, shards: number): number => (shards === 1 ? 0 : Number.parseInt(sha256(id).slice(0, 8), 16) % shards)
