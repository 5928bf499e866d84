// What the driver tells a process of the torture to do, as JSON in argv.

/** A stream that somebody holds for long. Few asks are for it, so that not all wait for it. */
export const HELD = 'stream held'

export type Target =
  | { readonly engine: 'sqlite'; readonly path: string }
  | { readonly engine: 'postgres'; readonly driver: 'pg' | 'postgres.js'; readonly url: string; readonly schema: string }

export interface Order {
  readonly target: Target
  /** Unique among all processes of a run. */
  readonly name: string
  readonly role: 'writer' | 'reader' | 'keeper'
  /** Where it records what it does, a line of JSON per fact. */
  readonly record: string
  readonly seed: number
  /** How many asks are under way at once. */
  readonly actors: number
  /** How many streams, and tags, all writers share. */
  readonly streams: number
  /** Of all asks, how many are inside a transaction of the user's, 0 to 1. */
  readonly joinedShare: number
  /** A reader begins here. */
  readonly after: number
}

/** A line of the record. Keys are short, since there are millions of them; `history.ts` says what they mean. */
export type Line =
  | { readonly k: 'ask'; readonly v: import('./history.ts').Ask }
  | { readonly k: 'answer'; readonly v: import('./history.ts').Answer }
  | { readonly k: 'kept'; readonly v: import('./history.ts').Kept }
  | { readonly k: 'batch'; readonly v: { readonly scannedTo: number; readonly events: readonly import('./history.ts').Place[] } }
