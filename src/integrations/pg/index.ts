export { guardPool } from './guard-pool.ts'
export type { PgPoolSlice } from './slice.ts'
