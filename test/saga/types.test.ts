import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { Context } from '../../src/core/context.ts'
import type { HoldfastError } from '../../src/core/errors.ts'
import { type SagaDefinition, type SagaHandle, type Sagas, saga, type UndoContext } from '../../src/saga/index.ts'

const Order = z.object({ id: z.string(), items: z.array(z.string()) })
interface Deps {
  inventory: { reserve(items: string[], key: string): Promise<{ rid: string }>; release(key: string): Promise<void> }
  payments: { charge(id: string, key: string): Promise<{ id: string }> }
}

// The quick start, word for word.
const checkout = (deps: Deps) =>
  saga('checkout', { version: 1, input: Order })
    .step('reserve', {
      run: ({ input }, ctx) => deps.inventory.reserve(input.items, ctx.idempotencyKey),
      undo: (_, ctx) => deps.inventory.release(ctx.undoes.idempotencyKey), // also called when the reply was lost
      retry: { attempts: 4 },
      timeoutMs: 2_000,
    })
    .pivot('charge', { run: ({ input }, ctx) => deps.payments.charge(input.id, ctx.idempotencyKey) })
    .returns(({ charge }) => ({ paymentId: charge.id }))

type Input = z.infer<typeof Order>

test('a definition carries the types of input and output', () => {
  expectTypeOf<ReturnType<typeof checkout>>().toEqualTypeOf<SagaDefinition<Input, { paymentId: string }>>()
  expectTypeOf<ReturnType<typeof checkout>>().toExtend<SagaDefinition<unknown, unknown>>()
})

test('the state grows by the result of each step', () => {
  saga('typed', { version: 1, input: Order })
    .step('first', {
      run: async (state, ctx) => {
        expectTypeOf(state).toEqualTypeOf<{ readonly input: Input }>()
        expectTypeOf(ctx).toEqualTypeOf<Context>()
        return { seat: '1A' }
      },
      undo: async ({ first, input }, ctx) => {
        expectTypeOf(first).toEqualTypeOf<{ seat: string } | undefined>()
        expectTypeOf(input).toEqualTypeOf<Input>()
        expectTypeOf(ctx).toEqualTypeOf<UndoContext>()
        expectTypeOf(ctx.undoes.outcome).toEqualTypeOf<'ok' | 'unknown'>()
      },
    })
    .pivot('second', {
      run: async ({ first }) => {
        expectTypeOf(first).toEqualTypeOf<{ seat: string }>()
        return 7
      },
    })
    .step('third', { run: async ({ second }) => second * 2 })
    .returns((state) => {
      expectTypeOf(state.third).toEqualTypeOf<number>()
      return state.first.seat
    })
})

test('what is wrong does not compile', () => {
  const wrong = () => {
    const flow = checkout({} as Deps)
    const sagas = {} as Sagas
    // @ts-expect-error another input
    sagas.start(flow, { id: 7 }, { id: 'o1' })
    // @ts-expect-error an id is needed
    sagas.start(flow, { id: 'o1', items: [] }, {})
    const charged = saga('x', { version: 1, input: Order }).pivot('p', { run: async () => 1 })
    // @ts-expect-error no such result
    charged.returns(({ q }) => q)
    // @ts-expect-error run is needed
    charged.step('s', {})
    // @ts-expect-error a plain function is no policy
    charged.step('s', { run: async () => 1, policy: () => {} })
    return sagas.start(flow, { id: 'o1', items: [] }, { id: 'o1' })
  }
  expectTypeOf(wrong).returns.resolves.toEqualTypeOf<SagaHandle<{ paymentId: string }>>()
  expectTypeOf<SagaHandle<{ paymentId: string }>['result']>().returns.resolves.toEqualTypeOf<{ paymentId: string }>()
  expectTypeOf<HoldfastError>().toExtend<Error>()
})
