// How the order service calls others: every call retried, counted, bounded and timed out.
import { bulkhead, type Context, circuitBreaker, declined, policies, retry, timeout, timeWindow } from 'holdfast'
import { resilientFetch } from 'holdfast/fetch'

export type Post = <Answer>(path: string, body: object, ctx: Context) => Promise<Answer>

/** A client of one service. `onOpened` is called each time its circuit breaker opens. */
export function outbound(name: string, baseUrl: string, onOpened: (name: string) => void): Post {
  const breaker = circuitBreaker({ name, trips: timeWindow({ windowMs: 1_000, failureRatio: 0.5, minimumCalls: 12 }), openMs: 400 })
  breaker.on('opened', () => onOpened(name))
  const guard = policies(
    retry({ attempts: 2, delayMs: 50 }),
    breaker,
    bulkhead({ name, concurrent: 50, queued: 200 }),
    timeout({ timeoutMs: 700 }),
  )
  const guardedFetch = resilientFetch(guard)

  return async function post<Answer>(path: string, body: object, ctx: Context): Promise<Answer> {
    const response = await guardedFetch(new URL(path, baseUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      context: ctx, // its signal, deadline, trace and Idempotency-Key travel with the call
    })
    const answer = (await response.json()) as Answer & { readonly reason?: string }
    if (response.status === 409) throw declined(answer.reason ?? 'declined')
    if (!response.ok) throw new Error(`${name} answers ${response.status} to ${path}: ${answer.reason}`)
    return answer
  }
}
