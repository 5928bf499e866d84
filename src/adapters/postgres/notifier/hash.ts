import { createHash } from 'node:crypto'

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22)

/** What travels of a topic: hints carry no content, not even names. */
export const hashOf = (topic: string): string => digest(topic)

/** One channel for each place that tables are at; a name needs no quotes. */
export const channelOf = ({ schema, prefix }: { readonly schema: string; readonly prefix: string }): string =>
  `holdfast_${createHash('sha256')
    .update(JSON.stringify([schema, prefix]))
    .digest('hex')
    .slice(0, 24)}`
