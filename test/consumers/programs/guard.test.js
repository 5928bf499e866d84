/* global expect, test */
const { circuitBreaker, HoldfastError, policies, retry } = require('holdfast')
const { sqliteStorage } = require('holdfast/sqlite')
const guardACall = require('./guard.cjs')

test('guards a call', guardACall)

test('refuses with an error of its own', async () => {
  const guard = policies(retry({ attempts: 1 }), circuitBreaker({ name: 'always down' }))
  for (let call = 0; call < 100; call++) await guard.tryRun(() => Promise.reject(new Error('down')))
  const outcome = await guard.tryRun(async () => 'up')
  expect(outcome).toMatchObject({ ok: false, effect: 'none', error: { code: expect.any(String) } })
  expect(outcome.error).toBeInstanceOf(HoldfastError)
})

test('finds an SQLite driver, which Jest cannot import dynamically', async () => {
  const storage = sqliteStorage(':memory:')
  await storage.open()
  await storage.close()
})
