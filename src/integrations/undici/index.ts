export type { ResilientDispatchOptions } from './request.ts'
export { type ResilientInterceptorOptions, resilientInterceptor } from './resilient-interceptor.ts'
export type { UndiciInterceptor } from './slice.ts'
