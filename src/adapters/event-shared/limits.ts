/** What of a request is bounded, on every engine alike; what is over a bound is answered with `TOO_LARGE`. */
export const STREAM_MAX_BYTES = 512
export const TEXT_MAX = 200
export const TAGS_MAX = 32
export const WRITES_MAX = 64
export const QUERIES_MAX = 32
/** Events of one request. */
export const EVENTS_MAX = 10_000
/** JSON text of one event's data, and of its metadata. */
export const DATA_MAX_BYTES = 1_048_576
export const METADATA_MAX_BYTES = 65_536
/** All JSON text of one request. */
export const REQUEST_MAX_BYTES = 16_777_216
/** Of a conflict, how many events it tells. */
export const MISSED_MAX = 100
