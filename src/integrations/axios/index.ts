export { type AxiosAdapterOptions, axiosAdapter } from './axios-adapter.ts'
export type { AxiosAdapterSlice, AxiosResponseSlice, ResilientRequestConfig } from './slice.ts'
