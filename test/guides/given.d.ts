// What the guides take for granted: the reader's own clients, functions and logger.
import type { HoldfastError } from 'holdfast'

interface Row {
  readonly id: string
  readonly name: string
}

declare global {
  const log: { info(fields: object, text: string): void; warn(fields: object, text: string): void }
  const url: string
  const pool: {
    query(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>
    end(): Promise<void>
    readonly totalCount: number
  }
  function fetchRate(currency: string, signal?: AbortSignal): Promise<number>
  function fetchPrice(sku: string, signal?: AbortSignal): Promise<number>
  function chargeCard(orderId: string, key: string, signal?: AbortSignal): Promise<{ readonly id: string }>
  function buildReport(tenantId: string, month: string): Promise<string>
  function readProfile(userId: string): Promise<Row>
  function later(afterMs: number): Promise<void>
  function isMine(error: unknown): error is HoldfastError
  const settings: { onChange(listener: (changed: { timeoutMs: number; ratePerSecond: number }) => void): void }
}
