export type { FetchInput, ResilientRequestInit } from './request.ts'
export { type ResilientFetch, type ResilientFetchOptions, resilientFetch } from './resilient-fetch.ts'
