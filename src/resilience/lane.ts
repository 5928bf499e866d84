/** Into so many buckets a window of time is cut. */
export const BUCKETS = 10

/** Calls of one kind per bucket, and after the last the total. An array is a third of the size of a typed one this short. */
export type Lane = number[]

export const newLane = (): Lane => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

export const totalOf = (lane: Lane | null): number => (lane === null ? 0 : (lane[BUCKETS] as number))

export function count(lane: Lane, at: number, more: number): void {
  ;(lane[at] as number) += more
  ;(lane[BUCKETS] as number) += more
}

export function emptyBucketOf(lane: Lane | null, at: number): void {
  if (lane === null) return
  ;(lane[BUCKETS] as number) -= lane[at] as number
  lane[at] = 0
}
