import { type HoldfastError, refusal } from '../../core/errors.ts'
import { invalidOption } from '../../core/options.ts'
import { joinSignal, leaveSignal } from '../../core/waiting.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { OnAbort } from '../storage-shared/on-abort.ts'
import { aborted } from '../storage-shared/refusals.ts'
import { MemoryStore } from './store.ts'

/** A transaction on a memory store; what is written with it is seen by nobody before it is committed. */
export interface MemoryTx {
  readonly isOpen: boolean
}

/** What one port has written in a transaction. */
export interface TxPart {
  commit(): void
}

export class OpenTx implements MemoryTx {
  readonly store: MemoryStore
  isOpen = true
  readonly #parts = new Map<object, TxPart>()

  constructor(store: MemoryStore) {
    this.store = store
  }

  /** What `of` has written in it so far. */
  part<P extends TxPart>(of: object, make: () => P): P {
    const part = (this.#parts.get(of) as P | undefined) ?? make()
    this.#parts.set(of, part)
    return part
  }

  end(commit: boolean): void {
    this.isOpen = false
    if (commit) for (const part of this.#parts.values()) part.commit()
    this.store.holds.release(this)
  }
}

/** @throws {HoldfastError} `TX_NOT_OPEN` (effect none) for what is no open transaction of this store. */
export function openTx(store: MemoryStore, tx: unknown): OpenTx {
  if (tx instanceof OpenTx && tx.isOpen && tx.store === store) return tx
  throw txNotOpen(tx instanceof OpenTx ? (tx.isOpen ? 'one of another store' : 'one that is over') : 'something else')
}

export const txNotOpen = (given: string): HoldfastError =>
  refusal('TX_NOT_OPEN', `tx must be an open transaction of memoryTransactions() over the same store, got ${given}`, { retry: 'never' })

/**
 * Opens transactions on a memory store, so that code that joins a transaction can be tested without a database.
 *
 * What is written with one is seen by nobody before `fn` has resolved, and vanishes when it rejects. Until then it holds what it has written
 * to, as a database does: streams, tags, keys, checkpoints.
 *
 * @param of the store, or a `memoryStorage()`, whose it is.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for anything else.
 * @example
 * ```ts
 * const storage = memoryStorage()
 * await memoryTransactions(storage).run((tx) => storage.eventStore.join(tx).append({ writes }))
 * ```
 */
export function memoryTransactions(of: MemoryStore | { readonly store: MemoryStore }): Transactions<MemoryTx> {
  const store = of instanceof MemoryStore ? of : of?.store
  if (!(store instanceof MemoryStore)) throw invalidOption('memoryTransactions', 'of', 'a memoryStore() or a memoryStorage()', of)
  return { engine: 'memory', run: (fn, options) => run(new OpenTx(store), fn, options?.signal) }
}

async function run<T>(tx: OpenTx, fn: (tx: MemoryTx) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return ending(tx, fn)
  if (signal.aborted) throw aborted('run', signal)
  return await new Promise<T>((resolve, reject) => {
    const listener = new OnAbort(() => {
      if (!tx.isOpen) return
      tx.end(false)
      reject(aborted('run', signal))
    })
    joinSignal(signal, listener)
    ending(tx, fn)
      .finally(() => leaveSignal(signal, listener))
      .then(resolve, reject)
  })
}

async function ending<T>(tx: OpenTx, fn: (tx: MemoryTx) => Promise<T>): Promise<T> {
  let value: T
  try {
    value = await fn(tx)
  } catch (error) {
    if (tx.isOpen) tx.end(false)
    throw error
  }
  if (tx.isOpen) tx.end(true)
  return value
}
