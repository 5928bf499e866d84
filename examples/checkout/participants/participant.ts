import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultOf, outageOf } from './faults.ts'
import { listen, readJson, reply } from './http.ts'
import { type Answer, type Effect, KeyedEffects, type Misbehaviour } from './keyed-effects.ts'
import { type Action, Ledger, type Service } from './ledger.ts'

export type Body = Readonly<Record<string, unknown>>

/** One thing that a participant can do. The undo, where there is one, is at `POST /<action>/undo`. */
export interface Operation {
  /** Pieces or cents, for the ledger. */
  amount(body: Body): number
  run(body: Body): { readonly body: unknown; readonly revert: () => void } | { readonly declined: string }
  /** More delay for some requests, in milliseconds. */
  delayMs?(body: Body): number
}

export interface ParticipantStats {
  requests: number
  pending: number
  errors: number
  lostReplies: number
  late: number
  outageReplies: number
}

/** An HTTP service with seeded trouble: `POST /<action>` and `POST /<action>/undo`, both with an `Idempotency-Key`. */
export function participant(service: Service, operations: Partial<Record<Action, Operation>>): void {
  const { SEED, LEDGER, BREAK } = process.env
  const seed = Number(SEED)
  const effects = new KeyedEffects(new Ledger(LEDGER ?? '', service), JSON.parse(BREAK ?? '{}') as Misbehaviour)
  const outage = outageOf(seed, service)
  const stats: ParticipantStats = { requests: 0, pending: 0, errors: 0, lostReplies: 0, late: 0, outageReplies: 0 }
  const asked = new Map<string, number>()
  let openedMs = Number.NaN

  const isOut = () => performance.now() - openedMs >= outage.fromMs && performance.now() - openedMs < outage.untilMs

  async function serve(path: string, body: Body, key: string, response: ServerResponse): Promise<void> {
    const [, action, undo] = path.split('/') as [string, Action, string | undefined]
    const operation = operations[action]
    const order = String(body.order)
    if (operation === undefined) return reply(response, { status: 404, body: { reason: `no such action: ${action}` } })
    if (isOut()) {
      stats.outageReplies += 1
      return reply(response, { status: 503, body: { reason: `${service} is down` } })
    }
    const nth = (asked.get(`${path} ${order}`) ?? 0) + 1
    asked.set(`${path} ${order}`, nth)
    const fault = faultOf(seed, service, path, order, nth)
    if (fault.kind === 'late') stats.late += 1
    await sleep(fault.delayMs + (undo === undefined ? (operation.delayMs?.(body) ?? 0) : 0))
    if (fault.kind === 'error') {
      stats.errors += 1
      return reply(response, { status: 500, body: { reason: 'injected error' } })
    }
    const answer = act(operation, { action, order, key, amount: operation.amount(body) }, body, undo)
    if (fault.kind !== 'lost-reply') return reply(response, answer)
    stats.lostReplies += 1
    response.socket?.destroy()
  }

  function act(operation: Operation, effect: Effect, body: Body, undo: string | undefined): Answer {
    if (undo === undefined) return effects.perform(effect, () => operation.run(body))
    // An undo carries a key of its own in the header, and names the key that it undoes.
    return effects.undo({ ...effect, key: String(body.undoes) })
  }

  listen(async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/'
    if (path === '/demo/stats') return reply(response, { status: 200, body: stats })
    if (path === '/demo/open') {
      openedMs = performance.now()
      return reply(response, { status: 200, body: { outage } })
    }
    const key = request.headers['idempotency-key']
    const body = await readJson(request)
    if (typeof key !== 'string' || typeof body.order !== 'string') {
      return reply(response, { status: 400, body: { reason: 'an Idempotency-Key header and an order are needed' } })
    }
    stats.requests += 1
    stats.pending += 1
    await serve(path, body, key, response).finally(() => {
      stats.pending -= 1
    })
  })
}
