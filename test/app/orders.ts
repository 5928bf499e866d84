// A saga and an event to put into applications under test.
import { z } from 'zod'
import { declined, event, type SagaDefinition, saga, subscription } from '../../src/index.ts'

export const Order = z.object({ id: z.string(), items: z.array(z.string()) })
export const OrderPlaced = event('shop.order.placed', { schema: Order, key: (order) => order.id })

export interface Done {
  readonly log: string[]
  /** What reserving waits for. */
  gate?: Promise<unknown>
}

export const checkout = (done: Done): SagaDefinition<z.infer<typeof Order>, { reserved: string }> =>
  saga('checkout', { version: 1, input: Order })
    .step('reserve', {
      run: async ({ input }) => {
        done.log.push(`reserve ${input.id}`)
        await done.gate
        if (input.items.length === 0) throw declined('nothing ordered')
        return { rid: `r-${input.id}` }
      },
      undo: async ({ input }) => done.log.push(`release ${input.id}`),
    })
    .returns(({ reserve }) => ({ reserved: reserve.rid }))

export const readModel = (done: Done) =>
  subscription(OrderPlaced, {
    group: 'read-model',
    handle: async ({ data }) => {
      done.log.push(`seen ${data.id}`)
      await done.gate
    },
  })
