import { describe, expect, test, vi } from 'vitest'
import { guard } from '../../src/core/guard-policy.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { circuitBreaker } from '../../src/resilience/circuit-breaker.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { consecutive } from '../../src/resilience/trip.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { refusedBy, rubbish, settled, thrownBy, virtualTime } from './support.ts'

virtualTime()

const seenKeys = (seen: unknown[]) =>
  policy('keys', (next) => (input, ctx) => {
    seen.push(ctx.keys)
    return next(input, ctx)
  })

describe('wrap', () => {
  test('keeps this, arguments, result and name', async () => {
    const slots = bulkhead()
    class Client {
      #prefix = 'p'
      get = slots.wrap(async function get(this: Client, a: string, ...more: number[]) {
        return `${this.#prefix} ${a} ${more.join()} ${slots.running}`
      })
    }
    expect(await new Client().get('x', 1, 2)).toBe('p x 1,2 1')
    expect(new Client().get.name).toBe('get')
    expect(slots.running).toBe(0)
  })

  test('runs every call under one policy', async () => {
    const breaker = circuitBreaker({ trips: consecutive(1), clock: testClock() })
    const [broken, fine] = [breaker.wrap(async () => Promise.reject(new Error('x'))), breaker.wrap(async () => 1)]
    await expect(broken()).rejects.toThrow('x')
    expect(await refusedBy(fine())).toMatchObject({ code: 'BREAKER_OPEN' })
  })

  test('turns a synchronous throw into a rejection, and anything into a promise', async () => {
    const sync = bulkhead().wrap((() => {
      throw new Error('x')
    }) as never) as () => Promise<unknown>
    const answer = sync()
    await expect(answer).rejects.toThrow('x')
    expect(await bulkhead().wrap((() => 5) as never as () => Promise<number>)()).toBe(5)
  })

  test('derives the options of each call from its arguments', async () => {
    const seen: unknown[] = []
    const read = seenKeys(seen).wrap(async (tenant: string) => tenant.length, { options: (tenant) => ({ keys: { tenant } }) })
    expect(await read('acme')).toBe(4)
    expect(seen).toEqual([{ tenant: 'acme' }])
  })

  test('rejects when the options throw or are rubbish, before the function runs', async () => {
    const fn = vi.fn(async () => 1)
    const throwing = bulkhead().wrap(fn, {
      options: () => {
        throw new Error('x')
      },
    })
    const answer = throwing()
    await expect(answer).rejects.toThrow('x')
    const odd = bulkhead().wrap(fn, { options: () => ({ timeout: 5 }) as never })
    expect(await refusedBy(odd())).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(await refusedBy(bulkhead().wrap(fn, { options: () => 5 as never })())).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(fn).not.toHaveBeenCalled()
  })

  test('says whether the function had begun when the caller gives up', async () => {
    const controller = new AbortController()
    const slots = bulkhead({ concurrent: 1, queued: 1 })
    const hangs = slots.wrap(() => new Promise(() => {}), { options: () => ({ signal: controller.signal }) })
    const [running, waiting] = [refusedBy(hangs()), refusedBy(hangs())]
    controller.abort('gone')
    expect(await running).toMatchObject({ code: 'ABORTED', effect: 'unknown', cause: 'gone' })
    expect(await waiting).toMatchObject({ code: 'ABORTED', effect: 'none' })
  })

  test('abandons what is late', async () => {
    const clock = testClock()
    const slow = timeout({ timeoutMs: 10, clock }).wrap(() => new Promise(() => {}))
    const answer = refusedBy(slow())
    await clock.advance(10)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
  })

  test('refuses fetch, naming what to use', () => {
    expect(thrownBy(() => bulkhead().wrap(globalThis.fetch))).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none' })
    expect(() => bulkhead().wrap(globalThis.fetch)).toThrow('use resilientFetch(policy) from holdfast/fetch')
  })

  test.each([...rubbish.filter(([, value]) => typeof value !== 'function'), ['undefined', undefined] as [string, unknown]])(
    'refuses %s',
    (_, fn) => {
      expect(thrownBy(() => bulkhead().wrap(fn as never)).message).toMatch(/^wrap: what it wraps must be a function, got /)
    },
  )

  test('refuses options that it does not know, and ones that are no function', () => {
    expect(() => bulkhead().wrap(async () => 1, { option: () => ({}) } as never)).toThrow(
      'wrap: unknown option option (did you mean options?)',
    )
    expect(() => bulkhead().wrap(async () => 1, { options: {} } as never)).toThrow('wrap: options must be a function of the arguments')
  })
})

describe('wrapMethods', () => {
  class Model {
    static made = 0
    id = 1
  }
  class Client {
    #rows = new Map([['a', 1]])
    broken = false
    Model = Model
    Plain = Object.assign(function Plain() {}, { prototype: { read() {}, write() {} } })
    async get(key: string): Promise<number | undefined> {
      if (this.broken) throw new Error('broken')
      return this.#rows.get(key)
    }
    async put(key: string, value: number): Promise<void> {
      this.#rows.set(key, value)
    }
    get size(): number {
      return this.#rows.size
    }
    self(): this {
      return this
    }
  }
  const made = () => {
    const slots = bulkhead({ concurrent: 1 })
    const entered = vi.fn()
    const counting = guard({ name: 'counting', enter: () => entered() ?? { leave: () => {} } })
    const client = new Client()
    return { slots, entered, client, view: policies(counting, slots).wrapMethods(client, ['get']) }
  }

  test('guards what is named, with private fields, and nothing else', async () => {
    const { entered, client, view } = made()
    expect(await view.get('a')).toBe(1)
    await view.put('b', 2)
    expect([view.size, entered.mock.calls.length]).toEqual([2, 1])
    expect(view).toBeInstanceOf(Client)
    expect(await client.get('a')).toBe(1)
    expect(entered).toHaveBeenCalledOnce()
    view.broken = true
    expect(client.broken).toBe(true)
    await expect(view.get('a')).rejects.toThrow('broken')
  })

  test('gives the same function each time, and classes as they are', () => {
    const { client, view } = made()
    expect(view.get).toBe(view.get)
    expect(view.put).toBe(view.put)
    expect(view.self()).toBe(client)
    expect(view.Model).toBe(Model)
    expect(view.Model.made).toBe(0)
    expect(view.Plain).toBe(client.Plain)
    expect('get' in view && Object.keys(view)).toEqual(Object.keys(client))
  })

  test('calls a method that was replaced later, still guarded', async () => {
    const { entered, view } = made()
    view.get = async () => 9
    expect(await view.get('a')).toBe(9)
    expect(entered).toHaveBeenCalledOnce()
  })

  test('takes symbols, functions with methods, and methods from a getter', async () => {
    const call = Symbol('call')
    const target = Object.assign(() => 'called', { [call]: async () => 1 })
    const view = bulkhead().wrapMethods(target, [call])
    expect(await view[call]()).toBe(1)
    expect(view()).toBe('called')
    const lazy = {
      get read() {
        return async () => 2
      },
    }
    expect(await bulkhead().wrapMethods(lazy, ['read']).read()).toBe(2)
  })

  test('refuses a frozen method by name, and shows the others of a frozen object as they are', async () => {
    const frozen = Object.freeze({ get: async () => 1, put: async () => 2 })
    expect(thrownBy(() => bulkhead().wrapMethods(frozen, ['get'])).message).toMatch(/^wrapMethods: get must be a method that is not frozen/)
    class Frozen {
      get = async () => 1
      async put() {
        return 2
      }
    }
    const view = bulkhead().wrapMethods(Object.freeze(new Frozen()), ['put'])
    expect([await view.put(), await view.get()]).toEqual([2, 1])
  })

  test.each<[string, unknown, unknown, string]>([
    ['null', null, ['get'], 'wrapMethods: the target must be an object, got null'],
    ['a text', 'client', ['get'], 'wrapMethods: the target must be an object, got "client"'],
    ['a method that is not there', new Client(), ['getAll'], 'wrapMethods: getAll must be a method of the target, got undefined'],
    ['a property that is no method', new Client(), ['size'], 'wrapMethods: size must be a method of the target, got 1'],
    ['a symbol that is not there', new Client(), [Symbol('x')], 'wrapMethods: Symbol(x) must be a method of the target'],
    ['a name in the place of names', new Client(), 'get', 'wrapMethods: the methods must be an array of names, got "get"'],
  ])('refuses %s', (_, target, names, message) => {
    expect(thrownBy(() => bulkhead().wrapMethods(target as object, names as never)).message).toContain(message)
  })

  test('leaves no slot taken', async () => {
    const { slots, view } = made()
    await Promise.allSettled([view.get('a'), view.get('a')])
    await settled()
    expect(slots.running).toBe(0)
  })
})
