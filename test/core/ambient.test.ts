import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ambientContext, ambientSeat, enableAmbient, runAmbient } from '../../src/core/ambient.ts'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { guard } from '../../src/core/guard-policy.ts'
import { policies } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { countedSignal, deferred, refusedBy, settled, virtualTime } from './support.ts'

virtualTime()

let former: typeof ambientSeat.storage
beforeEach(() => {
  former = ambientSeat.storage
  ambientSeat.storage = null
})
afterEach(() => {
  ambientSeat.storage = former
})

const permit = { leave: () => {} }
const gauge = guard({ name: 'gauge', enter: () => permit })
const ours = () => bulkhead({ concurrent: 1 })

test('without being enabled there is none, and calls have a fresh one each', async () => {
  const context = createContext({ tenant: 'acme' })
  await runAmbient(context, async () => {
    expect(ambientContext()).toBe(undefined)
    await gauge.run((ctx) => {
      expect(ctx.tenant).toBe(undefined)
      expect(ambientContext()).toBe(undefined)
    })
  })
})

describe('enabled', () => {
  beforeEach(() => {
    enableAmbient()
  })

  test('is found by calls inside, across awaits, and by nobody outside', async () => {
    const storage = ambientSeat.storage
    enableAmbient()
    expect(ambientSeat.storage).toBe(storage)
    const context = createContext({ tenant: 'acme' })
    await runAmbient(context, async () => {
      await settled()
      expect(ambientContext()).toBe(context)
      expect(await gauge.run((ctx) => ctx.tenant)).toBe('acme')
      expect(await policies().run((ctx) => ctx)).toBe(context)
    })
    expect(ambientContext()).toBe(undefined)
    expect(await gauge.run((ctx) => ctx.tenant)).toBe(undefined)
  })

  test('is the one of the innermost call', async () => {
    const outer = createContext({ tenant: 'acme' })
    await ours().run(
      async (ctx) => {
        expect(ambientContext()).toBe(ctx)
        await ours().run((inner) => expect([inner.keys, inner.tenant, ambientContext()]).toEqual([{ host: 'a' }, 'acme', inner]), {
          keys: { host: 'a' },
        })
        expect(ambientContext()).toBe(ctx)
      },
      { context: outer },
    )
  })

  test('gives way to a context that is handed in', async () => {
    const handed = createContext({ tenant: 'handed' })
    await runAmbient(createContext({ tenant: 'ambient' }), async () => {
      expect(await gauge.run((ctx) => ctx.tenant, { context: handed })).toBe('handed')
    })
  })

  test('is what a wrapped function runs inside', async () => {
    const seen: Array<Context | undefined> = []
    const wrapped = ours().wrap(async (_: string) => void seen.push(ambientContext()), { options: (tenant) => ({ keys: { tenant } }) })
    await wrapped('acme')
    expect(seen[0]?.keys).toEqual({ tenant: 'acme' })
  })

  test('works with policies that were used before', async () => {
    ambientSeat.storage = null
    const guarded = ours()
    await guarded.run(() => {})
    enableAmbient()
    await guarded.run((ctx) => expect(ambientContext()).toBe(ctx))
    expect(await guarded.tryRun((ctx) => ambientContext() === ctx)).toEqual({ ok: true, value: true })
  })

  test('is not ended by a call inside it: its own signal still hears the caller', async () => {
    const counted = countedSignal()
    const context = createContext({ signal: counted.signal })
    await runAmbient(context, async () => {
      const { signal } = context
      await ours().run(() => {})
      await settled()
      expect(counted.listeners).toBe(1)
      counted.abort('gone')
      expect(signal.aborted).toBe(true)
    })
  })

  test('does not let a call inside take the place of what returns the slot outside', async () => {
    const slots = ours()
    const held = deferred()
    const inner = deferred()
    const controller = new AbortController()
    let late: Promise<unknown> = Promise.resolve()
    await slots.run(
      (ctx) => {
        ctx.hold(held.promise)
        late = ours().run(() => inner.promise)
      },
      { context: createContext({ signal: controller.signal }) },
    )
    inner.resolve(1)
    await late
    expect(slots.running).toBe(1)
    held.resolve(1)
    await settled()
    expect(slots.running).toBe(0)
  })

  test('a deadline outside answers calls inside that were given nothing', async () => {
    const controller = new AbortController()
    const context = createContext({ signal: controller.signal })
    const answer = runAmbient(context, () => refusedBy(ours().run(() => new Promise(() => {}))))
    controller.abort('gone')
    expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'unknown', cause: 'gone' })
  })
})
