import { type Channel, channel } from 'node:diagnostics_channel'

/**
 * The diagnostics channels of holdfast (`node:diagnostics_channel`), one per room. Free while nobody subscribes.
 *
 * | channel | message |
 * |---|---|
 * | `holdfast:policy` | `{ policy, name, event, … }`: state changes and refusals of policies |
 * | `holdfast:bus` | `{ event: 'published' \| 'handled' \| 'retried' \| 'dead', message, … }` |
 * | `holdfast:saga` | `{ event, saga, id, step?, … }`: what a saga did, after it is durable |
 */
export const diagnostics: Readonly<Record<'policy' | 'bus' | 'saga', Channel>> = {
  policy: channel('holdfast:policy'),
  bus: channel('holdfast:bus'),
  saga: channel('holdfast:saga'),
}
