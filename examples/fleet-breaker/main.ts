// needs: redis
// node scripts/run-example.mjs fleet-breaker: three processes share one breaker over Redis.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { forget } from './forget.ts'
import { type Instance, spawn } from './spawn.ts'

/** The inventory service: can be switched off, counts who asks, and keeps them waiting until it is told to answer. */
const inventory = { up: true, asked: 0, answer: Promise.resolve() }
const server = createServer(async (_, response) => {
  inventory.asked += 1
  await inventory.answer
  response.writeHead(inventory.up ? 200 : 503).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/items/1`
const prefix = `fleet-breaker-${process.pid}`

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const say = (line: string): void => console.log(line)
const all: Instance[] = []
const start = async (name: string): Promise<Instance> => {
  const instance = await spawn({ name, url, prefix })
  all.push(instance)
  return instance
}

/** Asks every instance until all say the same. */
async function until(state: string): Promise<void> {
  for (let round = 0; round < 500; round++) {
    const states = await Promise.all(all.map((instance) => instance.state()))
    if (states.every((each) => each.fleet === state)) return
    await sleep(20)
  }
  throw new Error(`the fleet never was ${state}`)
}

/** All ask at once; the inventory answers when nobody else is still to be refused. */
async function askAll(): Promise<readonly string[]> {
  let answer = (): void => {}
  inventory.answer = new Promise((resolve) => {
    answer = resolve
  })
  const before = inventory.asked
  let refused = 0
  const calls = all.map(async (instance) => {
    const said = await instance.call()
    refused += 1
    return said
  })
  for (let round = 0; round < 250 && refused + inventory.asked - before < all.length; round++) await sleep(20)
  answer()
  return Promise.all(calls)
}

try {
  const [one, two, three] = [await start('one'), await start('two'), await start('three')]
  await until('closed')
  say(`three processes, each with a breaker of its own: ${await one.call()}, ${await two.call()}, ${await three.call()}`)

  inventory.up = false
  say(`\nthe inventory goes down`)
  say(`one asks three times: ${await one.call()}, ${await one.call()}, ${await one.call()}`)
  const { breaker, fleet } = await one.state()
  say(`its breaker is ${breaker}, the fleet is ${fleet}: one of three is no quorum`)
  say(`two asks twice: ${await two.call()}, ${await two.call()}`)
  await until('open')
  say('two of three find it failing: the fleet is open')
  const asked = inventory.asked
  say(`three, which has seen no failure, does not ask: ${await three.call()}`)
  const four = await start('four')
  await until('open')
  say(`four joins, and takes over what the others know: ${await four.call()}`)
  say(`asked meanwhile: ${inventory.asked - asked} times`)

  inventory.up = true
  say('\nthe inventory is back; all four ask, again and again')
  const probes = inventory.asked
  let first: readonly string[] = []
  while (!first.includes('200')) first = await askAll()
  say(`the first who get through: ${first.filter((answer) => answer === '200').length}, asked: ${inventory.asked - probes} times`)
  await until('closed')
  say(`then the fleet closes for all: ${(await Promise.all(all.map((instance) => instance.call()))).join(', ')}`)

  say('\none is killed without a word; nobody waits for it')
  one.kill()
  all.shift()
  await until('closed')
  say(`the others go on: ${(await Promise.all(all.map((instance) => instance.call()))).join(', ')}`)
} finally {
  for (const instance of all) await instance.stop()
  server.close()
  await forget(prefix)
}
