import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { DeadReason, TransportMessage } from '../ports/transport.ts'

/** What an event tells of a message: never its data. */
export interface MessageHead {
  readonly id: string
  readonly name: string
  readonly key?: string
}

interface InGroup {
  readonly message: MessageHead
  readonly group: string
}

/** What a bus tells. */
export type BusEvents = {
  /** The transport has confirmed it. */
  readonly published: { readonly message: MessageHead }
  readonly handled: InGroup & { readonly attempt: number; readonly durationMs: number }
  /** It is tried again in `delayMs`. `refused`: a refusal of ours put it off, and no attempt was used. */
  readonly retried: InGroup & { readonly attempt: number; readonly delayMs: number; readonly refused: boolean; readonly error: unknown }
  /** It was given up. `kept`: as a dead letter; otherwise it is gone. */
  readonly dead: InGroup & { readonly reason: DeadReason; readonly kept: boolean }
}

export type Tell = <N extends keyof BusEvents & string>(event: N, what: BusEvents[N]) => void

export const headOf = ({ id, name, key }: TransportMessage): MessageHead => ({ id, name, ...(key !== undefined && { key }) })

/** Tells listeners of the bus and, under the same names, the diagnostics channel `holdfast:bus`. */
export class BusEmitter extends Emitter<BusEvents> {
  readonly tell: Tell = (event, what) => {
    this.emit(event, what)
    if (diagnostics.bus.hasSubscribers) diagnostics.bus.publish({ event, ...what })
  }
}
