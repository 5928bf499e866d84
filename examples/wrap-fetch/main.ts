// A client of two flaky HTTP services: fetch with retry, a circuit breaker per host, a time limit per attempt and a deadline for all of it.
import { circuitBreaker, consecutive, createContext, HoldfastError, keyed, policies, retry, timeout } from 'holdfast'
import { resilientFetch } from 'holdfast/fetch'
import { flakyServer } from './flaky-server.ts'

const perHost = keyed((host) => circuitBreaker({ name: host, trips: consecutive(3), openMs: 60_000 }), { by: 'host' })
const guarded = resilientFetch(policies(retry({ attempts: 3, delayMs: 5 }), perHost, timeout({ timeoutMs: 2_000 })))

const inventory = await flakyServer()
const prices = await flakyServer()

/** What a caller sees: a status, or the code of a refusal. */
async function ask(url: string, init?: Parameters<typeof guarded>[1]): Promise<string> {
  try {
    const response = await guarded(url, init)
    await response.body?.cancel()
    return `${response.status}`
  } catch (error) {
    if (error instanceof HoldfastError) return `${error.code}, effect ${error.effect}`
    throw error
  }
}

async function show(what: string, server: typeof inventory, path: string, init?: Parameters<typeof guarded>[1]): Promise<void> {
  console.log(`${what}: ${await ask(server.url + path, init)}, ${server.requests.length} sent`)
}

console.log('What is sent again')
inventory.will(503, 503)
await show('  GET that fails twice', inventory, '/items/1')
inventory.will(404)
await show('  GET of nothing', inventory, '/items/none')
inventory.will(503)
await show('  POST that fails', inventory, '/orders', { method: 'POST', body: '{}' })
inventory.will(503)
await show('  POST with a key that fails', inventory, '/orders', { method: 'POST', body: '{}', headers: { 'Idempotency-Key': 'order-1' } })
inventory.will('hangs')
await show('  GET that hangs once', inventory, '/items/1')

console.log('The deadline travels')
inventory.will('hangs')
await show('  a caller with 500 ms', inventory, '/items/1', { context: createContext({ timeoutMs: 500 }) })
// Milliseconds that remain, so that clocks need not agree; the server may take them over with requestContext() of holdfast/express.
const told = Number(inventory.requests[0]?.headers['holdfast-deadline-ms'])
console.log(`  the server was told that at most 500 ms remain: ${told > 0 && told <= 500}`)

console.log('A breaker per host')
prices.will(500, 500, 500, 500)
inventory.will()
await show('  prices fails', prices, '/prices/1')
await show('  prices again', prices, '/prices/1')
await show('  inventory meanwhile', inventory, '/items/2')
for (const [name, server] of Object.entries({ inventory, prices })) {
  const breaker = perHost.get(new URL(server.url).host) as ReturnType<typeof circuitBreaker> | undefined
  console.log(`  ${name}: ${breaker?.state}`)
}

inventory.close()
prices.close()
