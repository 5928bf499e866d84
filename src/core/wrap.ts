import { ambientSeat, runAmbient } from './ambient.ts'
import { compose } from './compose.ts'
import type { Ctx } from './ctx.ts'
import type { Next } from './frame/types.ts'
import type { WrapOptions } from './handler.ts'
import type { Part } from './inside.ts'
import { checkOptions, invalidOption } from './options.ts'
import { any, optional } from './rules.ts'
import { type Noted, underContext } from './run-context.ts'

type Fn = (this: unknown, ...args: unknown[]) => unknown

interface Invocation {
  readonly self: unknown
  readonly args: unknown[]
  readonly begun?: () => void
}

const noted: Noted = (input, begun) => ({ ...(input as Invocation), begun })

const rules = {
  options: optional(
    any<((...args: unknown[]) => object) | undefined>('a function of the arguments', (v) => typeof v === 'function', undefined),
  ),
}

export function wrapFunction(parts: readonly Part[], fn: unknown, options: WrapOptions<unknown[]> | undefined): Fn {
  if (typeof fn !== 'function') throw invalidOption('wrap', 'what it wraps', 'a function', fn)
  if (fn === globalThis.fetch)
    throw invalidOption(
      'wrap',
      'what it wraps',
      'anything but fetch, whose 503 would count as a success: use resilientFetch(policy) from holdfast/fetch',
      fn,
    )
  const { options: optionsOf } = checkOptions('wrap', options, rules)
  const task: Next = (input, ctx) => {
    const { self, args, begun } = input as Invocation
    begun?.()
    if (ambientSeat.storage !== null) return runAmbient(ctx as Ctx, () => (fn as Fn).apply(self, args))
    return (fn as Fn).apply(self, args)
  }
  const call = compose(parts, task)
  const wrapped: Fn = function (...args) {
    let runOptions: object | undefined
    try {
      runOptions = optionsOf?.(...args)
    } catch (error) {
      return Promise.reject(error)
    }
    return underContext(call, { self: this, args }, runOptions, noted)
  }
  return Object.defineProperty(wrapped, 'name', { value: fn.name, configurable: true })
}

/**
 * A view of `target` with the named methods guarded. Methods run on the target itself, so private fields and getters work; what is not
 * named is reached unchanged.
 */
export function wrapMethods<T extends object>(parts: readonly Part[], target: T, names: readonly PropertyKey[]): T {
  if (typeof target !== 'object' && typeof target !== 'function') throw invalidOption('wrapMethods', 'the target', 'an object', target)
  if (target === null) throw invalidOption('wrapMethods', 'the target', 'an object', target)
  if (!Array.isArray(names)) throw invalidOption('wrapMethods', 'the methods', 'an array of names', names)
  const guarded = new Map<PropertyKey, Fn>()
  for (const name of names) {
    if (isFixed(target, name)) throw invalidOption('wrapMethods', String(name), 'a method that is not frozen', target)
    const method: unknown = Reflect.get(target, name)
    if (typeof method !== 'function') throw invalidOption('wrapMethods', String(name), 'a method of the target', method)
    guarded.set(
      name,
      wrapFunction(parts, (...args: unknown[]) => (Reflect.get(target, name) as Fn).apply(target, args), undefined),
    )
  }
  const bound = new WeakMap<object, Fn>()
  return new Proxy(target, {
    get(_, name) {
      const own = guarded.get(name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' && !isClass(value) && !isFixed(target, name) ? boundOnce(bound, value as Fn, target) : value
    },
    set: (_, name, value) => Reflect.set(target, name, value, target),
  })
}

function boundOnce(bound: WeakMap<object, Fn>, method: Fn, target: object): Fn {
  let fn = bound.get(method)
  if (fn === undefined) {
    fn = method.bind(target)
    bound.set(method, fn)
  }
  return fn
}

/** A view may show nothing else in the place of a property that can never change. */
function isFixed(target: object, name: PropertyKey): boolean {
  const own = Object.getOwnPropertyDescriptor(target, name)
  return own?.configurable === false && own.writable === false
}

/** The prototype of a class cannot be replaced, that of an ordinary function can; one with members was made to be one before there were classes. */
function isClass(value: object): boolean {
  const own = Object.getOwnPropertyDescriptor(value, 'prototype')
  if (typeof own?.value !== 'object' || own.value === null) return false
  return own.writable === false || Object.getOwnPropertyNames(own.value).length > 1
}
