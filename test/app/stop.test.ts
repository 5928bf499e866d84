import { Agent, get, type IncomingMessage } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import { holdfast } from '../../src/index.ts'
import { listen, moment, turn } from '../integrations/http.ts'

const made = () => holdfast({ service: 'shop', storage: memoryStorage() })

/** A request that keeps its connection. */
function ask(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const answered = (res: IncomingMessage): void => {
      let body = ''
      res.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      res.on('end', () => resolve(body))
    }
    get(url, { agent }, answered).on('error', reject)
  })
}

describe('servers', () => {
  test('are closed although clients keep their connections', async () => {
    const agent = new Agent({ keepAlive: true })
    const { url, server } = await listen((_, res) => void res.end('hello'))
    const hf = made()
    await hf.start()
    expect(await ask(url, agent)).toBe('hello')
    await hf.stop({ servers: [server], drainMs: 60_000 })
    expect(server.listening).toBe(false)
    agent.destroy()
  })

  test('finish the request in flight, although its client keeps the connection', async () => {
    const agent = new Agent({ keepAlive: true })
    const arrived = moment()
    const gate = moment()
    const { url, server } = await listen((_, res) => {
      arrived.come()
      void gate.at.then(() => res.end('finished'))
    })
    const hf = made()
    await hf.start()
    const answer = ask(url, agent)
    await arrived.at
    const stopped = hf.stop({ servers: [server], drainMs: 60_000 })
    await turn()
    gate.come()
    expect(await answer).toBe('finished')
    await stopped
    agent.destroy()
  })

  test('are cut when a request takes longer than drainMs', async () => {
    const arrived = moment()
    const { url, server } = await listen(() => arrived.come())
    const hf = made()
    await hf.start()
    const answer = expect(ask(url, new Agent())).rejects.toMatchObject({ code: 'ECONNRESET' })
    await arrived.at
    await hf.stop({ servers: [server], drainMs: 10 })
    await answer
  })
})

describe('stopOn', () => {
  const listeners = () => process.listenerCount('SIGUSR2')
  const before = listeners()
  afterEach(() => expect(listeners()).toBe(before))

  test('stops at the first signal, and leaves the second one to the platform', async () => {
    const closed = moment()
    const hf = made()
    await hf.start()
    hf.stopOn(['SIGUSR2'], { servers: [{ close: (done) => done(void closed.come() as undefined) }] })
    expect((await hf.health()).ready).toBe(true)
    process.kill(process.pid, 'SIGUSR2')
    await closed.at
    expect([(await hf.health()).ready, listeners()]).toEqual([false, before])
    await hf.stop()
  })

  test('listens once, however often it is called, and not beyond a stop', async () => {
    const hf = made()
    await hf.start()
    hf.stopOn(['SIGUSR2', 'SIGUSR2'])
    hf.stopOn(['SIGUSR2'])
    expect(listeners()).toBe(before + 1)
    await hf.stop()
    expect(listeners()).toBe(before)
  })

  test.each([[[]], ['SIGTERM'], [['SIGKILL']], [['SIGSTOP']], [['SIGNOTHING']], [['toString']], [[9]]])('refuses %j', (signals) => {
    expect(() => made().stopOn(signals as string[])).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })

  test('refuses options that do not fit, at once', () => {
    expect(() => made().stopOn(['SIGUSR2'], { drainMs: Number.NaN })).toThrow(/holdfast.stopOn: drainMs/)
  })
})
