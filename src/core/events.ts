import { EventEmitter } from 'eventemitter3'
import { invalidOption } from './options.ts'
import { surface } from './surface.ts'

/** Maps an event's name to what its listeners receive. */
export type EventMap = { readonly [name: string]: unknown }

/**
 * Something that can be listened to; `on` returns the function that stops listening.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for a listener that is no function, and from policies for an event that they do not have.
 */
export interface Events<M extends EventMap> {
  on<N extends keyof M & string>(name: N, listener: (event: M[N]) => void): () => void
  once<N extends keyof M & string>(name: N, listener: (event: M[N]) => void): () => void
}

/** Typed lifecycle events. Emitting costs a null check while nobody listens; a listener that throws never reaches the emitter. */
export class Emitter<M extends EventMap> implements Events<M> {
  #events: EventEmitter | null = null

  on<N extends keyof M & string>(name: N, listener: (event: M[N]) => void): () => void {
    if (typeof listener !== 'function') throw invalidOption('on', `the listener of ${name}`, 'a function', listener)
    this.#events ??= new EventEmitter()
    // A function of its own, so that a listener that was given twice can leave once.
    const own = (event: M[N]): void => listener(event)
    const events = this.#events.on(name, own)
    return () => void events.off(name, own)
  }

  once<N extends keyof M & string>(name: N, listener: (event: M[N]) => void): () => void {
    if (typeof listener !== 'function') throw invalidOption('once', `the listener of ${name}`, 'a function', listener)
    const off = this.on(name, (event) => {
      off()
      listener(event)
    })
    return off
  }

  emit<N extends keyof M & string>(name: N, event: M[N]): void {
    if (this.#events === null) return
    for (const listener of this.#events.listeners(name)) {
      try {
        ;(listener as (event: unknown) => void)(event)
      } catch (error) {
        surface(error)
      }
    }
  }
}
