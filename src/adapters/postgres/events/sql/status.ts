/** What a request is answered, by number; also in `event_batch`. */
export const STATUS = {
  ok: 0,
  /** Somebody else holds what it needs. */
  busy: 1,
  /** To be decided anew once what it came upon in its own batch has been written. */
  again: 2,
  streamConflict: 3,
  conditionConflict: 4,
  archived: 5,
  tombstoned: 6,
  duplicate: 7,
  keyReused: 8,
  logReset: 9,
} as const

/** The version that a stream is expected to have; from 0 it is that very version. */
export const EXPECT = { any: -1, exists: -2 } as const

/** The last position of a tag that a joined event was given to: nobody knows it yet. */
export const NOT_PLACED = '9223372036854775807'
