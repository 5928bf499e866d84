const assert = require('node:assert/strict')
const { policies, retry, circuitBreaker, bulkhead, timeout } = require('holdfast')

const guard = policies(
  retry({ attempts: 3, delayMs: 1 }),
  circuitBreaker({ name: 'inventory' }),
  bulkhead({ concurrent: 20, queued: 50 }),
  timeout({ timeoutMs: 2_000 }),
)

async function main() {
  let calls = 0
  const answer = await guard.run(async ({ signal }) => {
    calls += 1
    if (calls < 3) throw new Error('try again')
    return { aborted: signal.aborted }
  })
  assert.deepEqual([answer, calls], [{ aborted: false }, 3])
  console.log('a call is guarded')
}

module.exports = main
if (require.main === module) main()
