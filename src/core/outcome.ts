/** What is known of a remote effect: certainly nothing happened, or perhaps something did. */
export type Effect = 'none' | 'unknown'

/** The answer of a call as a value. `effect` says whether a failed call may have done something all the same. */
export type Outcome<T> =
  | {
      readonly ok: true
      readonly value: T
      /** Who answered; present in what `tryRun` answers where a policy may have answered in the work's place. */
      readonly source?: Source
    }
  | { readonly ok: false; readonly error: unknown; readonly effect: Effect }

/** Who answered a call: the work itself, a fallback, or a cache with what it kept, fresh or `stale`. */
export type Source = 'work' | 'fallback' | 'cache' | 'stale'

/** How a policy counts an outcome; `'ignore'` returns the permit and records nothing. */
export type Verdict = 'success' | 'failure' | 'ignore'
