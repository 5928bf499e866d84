import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { type RunTransactionOptions, runTransaction } from '../../../src/integrations/transactions-shared/run-transaction.ts'

const options = (
  signal: AbortSignal,
  begin: RunTransactionOptions<string>['begin'] = (body) => body('tx'),
): RunTransactionOptions<string> => ({
  owner: 'test',
  begin,
  probe: async () => {},
  signal,
})

test('leaves a signal that outlives many transactions, however they end', async () => {
  const { signal } = new AbortController()
  const fails = async () => {
    throw new Error('no')
  }
  for (let n = 0; n < 3; n++) {
    expect(await runTransaction(async (tx) => tx, options(signal))).toBe('tx')
    await expect(runTransaction(fails, options(signal))).rejects.toThrow('no')
    await expect(runTransaction(async () => 1, options(signal, fails))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      effect: 'none',
    })
  }
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test.each([
  ['23505', 'none', 'later'],
  ['40001', 'none', 'later'],
  ['08006', 'unknown', 'never'],
  ['57P01', 'unknown', 'never'],
  [undefined, 'unknown', 'never'],
])('a commit that fails with %s has effect %s', async (code, effect, retry) => {
  const begin: RunTransactionOptions<string>['begin'] = async (body) => {
    await body('tx')
    throw Object.assign(new Error('at the commit'), { code })
  }
  const failed = runTransaction(async () => 1, options(new AbortController().signal, begin))
  await expect(failed).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect, retry })
})

test('a database whose transactions do not wait for their function is refused', async () => {
  const begin: RunTransactionOptions<string>['begin'] = async (body) => void body('tx')
  await expect(runTransaction(() => new Promise(() => {}), options(new AbortController().signal, begin))).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
  })
})
