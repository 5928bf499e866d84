// What a dispatcher may do that undici's own seldom does: begin a request late, or go on sending although it was told to pause.
import { describe, expect, test } from 'vitest'
import { type Policy, policies, policy } from '../../../src/index.ts'
import { resilientInterceptor } from '../../../src/integrations/undici/index.ts'
import { turn } from '../http.ts'

interface Inner {
  onRequestStart(controller: object, context: object): void
  onResponseStart(controller: object, status: number, headers: object): void
  onResponseData(controller: object, chunk: Uint8Array): void
  onResponseError(controller: object, error: Error): void
}
type Dispatch = (request: object, handler: object) => boolean

/** One request, as the dispatcher, its controller and the caller see it. */
async function one(guard: Policy) {
  let inner: Inner | undefined
  const dispatch = (_: object, handler: object) => {
    inner = handler as Inner
    return true
  }
  const aborts: unknown[] = []
  const controller = { abort: (reason: unknown) => void aborts.push(reason), pause() {}, resume() {} }
  const errors: unknown[] = []
  let outer: { abort(reason: Error): void } | undefined
  const caller = {
    onRequestStart(given: typeof outer) {
      outer = given
    },
    onResponseError: (_: object, error: unknown) => void errors.push(error),
  }
  const guarded = (resilientInterceptor(guard) as unknown as (dispatch: Dispatch) => Dispatch)(dispatch)
  guarded({ path: '/', method: 'GET', origin: 'http://inventory.example' }, caller)
  await turn()
  return { inner: inner as unknown as Inner, controller, aborts, errors, abort: (reason: Error) => outer?.abort(reason) }
}

describe('a dispatcher', () => {
  test('that begins a request after its caller has given up is told at once', async () => {
    const { inner, controller, aborts, errors, abort } = await one(policies())
    const gone = new Error('gone')
    abort(gone)
    await turn()
    expect([aborts, errors]).toEqual([[], [gone]])
    inner.onRequestStart(controller, {})
    expect(aborts).toHaveLength(1)
  })

  test('that sends on although it was told to pause is stopped after a mebibyte', async () => {
    const never = policy('never', (next) => async (input, ctx) => {
      await next(input, ctx)
      return new Promise<never>(() => {})
    })
    const { inner, controller, aborts } = await one(never)
    inner.onRequestStart(controller, {})
    inner.onResponseStart(controller, 200, {})
    inner.onResponseData(controller, new Uint8Array(1_048_576))
    expect(aborts).toEqual([])
    inner.onResponseData(controller, new Uint8Array(1))
    expect(aborts).toMatchObject([{ code: 'BODY_TOO_LONG', effect: 'unknown', retry: 'never' }])
  })
})
