// What a run records, by the process that did it. Times are microseconds of the host's monotonic clock, one for all processes.

/** Where an event was found. */
export interface Place {
  readonly position: number
  readonly id: string
  readonly stream: string
  readonly version: number
  readonly tags: readonly string[]
}

export interface WrittenStream {
  readonly stream: string
  readonly expect: 'none' | 'exists' | 'any' | number
  /** Ids of the events, in order. */
  readonly events: readonly string[]
}

/** What one call asked for. Asking again with the same key is another ask with the same `request`. */
export interface Ask {
  readonly request: string
  readonly writes: readonly WrittenStream[]
  readonly tags: readonly string[]
  readonly condition?: { readonly tags: readonly string[]; readonly after: number }
  /** Inside a transaction of the user's; its answer is that of the commit. */
  readonly joined: boolean
  readonly askedUs: number
}

/**
 * `ok`, `duplicate`: acknowledged. `conflict`, `none`, `undone`: certainly not written. `unknown`: perhaps. An ask whose process was killed
 * has no answer.
 */
export interface Answer {
  readonly request: string
  /** The ask it belongs to. */
  readonly askedUs: number
  readonly answeredUs: number
  readonly result: 'ok' | 'duplicate' | 'conflict' | 'none' | 'undone' | 'unknown'
  readonly versions?: readonly number[]
  readonly position?: number
  readonly conflict?: { readonly reason: 'stream' | 'condition'; readonly stream?: string; readonly actual?: number }
}

/** What one reader was given, from its first batch to its last. */
export interface Reading {
  readonly reader: string
  readonly after: number
  readonly batches: readonly { readonly scannedTo: number; readonly events: readonly Place[] }[]
}

/** One attempt to move the checkpoint that all keepers share. */
export interface Kept {
  readonly keeper: string
  /** The fencing token it was made under. */
  readonly token: number
  readonly from: number
  readonly to: number
  readonly isSaved: boolean
}

export interface History {
  readonly asks: readonly Ask[]
  readonly answers: readonly Answer[]
  readonly readings: readonly Reading[]
  readonly kept: readonly Kept[]
  /** Streams that somebody held for long. */
  readonly held: readonly string[]
  /** The whole log, read when everything was over. */
  readonly log: readonly Place[]
}
