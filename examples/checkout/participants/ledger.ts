import { appendFileSync, readFileSync } from 'node:fs'

export type Service = 'inventory' | 'payment' | 'shipping'
export type Action = 'reserve' | 'book' | 'charge' | 'ship'

/** One line of a participant's own book. Written before the answer leaves, never changed. */
export interface LedgerLine {
  readonly atEpochMs: number
  readonly service: Service
  /**
   * `effect` and `undo` change the world. The others change nothing and are kept as evidence: `declined` a business no · `repeated` a
   * known key, answered as before · `tombstone` an undo that came before its effect · `refused` an effect that came after its undo.
   */
  readonly event: 'effect' | 'undo' | 'declined' | 'repeated' | 'tombstone' | 'refused'
  readonly action: Action
  readonly order: string
  /** The key of the effect, also on the lines about its undo. */
  readonly key: string
  /** Pieces or cents. */
  readonly amount: number
  readonly reason?: string
}

/** An append-only file of a participant. */
export class Ledger {
  readonly #file: string
  readonly #service: Service

  constructor(file: string, service: Service) {
    this.#file = file
    this.#service = service
  }

  write(line: Omit<LedgerLine, 'atEpochMs' | 'service'>): void {
    const full: LedgerLine = { atEpochMs: Date.now(), service: this.#service, ...line }
    appendFileSync(this.#file, `${JSON.stringify(full)}\n`)
  }
}

export function readLedger(file: string): readonly LedgerLine[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as LedgerLine)
}
