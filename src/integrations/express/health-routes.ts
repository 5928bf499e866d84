import type { Health } from '../../app/health.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { flag } from '../../core/rules.ts'
import { answerJson, type Next, type RequestSlice, type ResponseSlice } from './http.ts'

export interface HealthRoutesOptions {
  /** Whether reasons are shown; they may name hosts and files. Default false. */
  readonly reasons?: boolean
}

/**
 * Answers GET and HEAD of `/livez` and `/readyz`, below whatever path it is mounted at: 200 when it is so, 503 when not. Everything else
 * passes on.
 *
 * The body is JSON: `{ live }`, and `{ ready, parts: { name: { status: 'ok' | 'degraded' | 'down' } } }`; with `reasons: true` each part
 * also says why it is not ok. While the application stops, it is live and not ready.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction.
 * @example
 * ```ts
 * app.use(healthRoutes(hf))
 * ```
 */
export function healthRoutes(
  hf: { health(): Promise<Health> },
  options?: HealthRoutesOptions,
): (req: RequestSlice, res: ResponseSlice, next: Next) => void {
  if (typeof hf?.health !== 'function') throw invalidOption('healthRoutes', 'its first argument', 'what holdfast() returned', hf)
  const { reasons } = checkOptions('healthRoutes', options, { reasons: flag(false) })
  return function healthRoutes(req, res, next) {
    const route = req.method === 'GET' || req.method === 'HEAD' ? routes[pathOf(req.url)] : undefined
    if (route === undefined) return next()
    hf.health().then((health) => {
      const { good, body } = route(health, reasons)
      answerJson(res, good ? 200 : 503, 'application/json', body)
    }, next)
  }
}

type Route = (health: Health, reasons: boolean) => { readonly good: boolean; readonly body: object }

const routes: Readonly<Record<string, Route>> = {
  '/livez': ({ live }) => ({ good: live, body: { live } }),
  '/readyz': ({ ready, parts }, reasons) => ({ good: ready, body: { ready, parts: reasons ? parts : statusesOf(parts) } }),
}

const statusesOf = (parts: Health['parts']): object =>
  Object.fromEntries(Object.entries(parts).map(([name, { status }]) => [name, { status }]))

const pathOf = (url = ''): string => url.split('?', 1)[0] ?? ''
