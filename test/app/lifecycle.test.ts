import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import { Lifecycle } from '../../src/app/lifecycle.ts'
import type { ClosableServer } from '../../src/app/servers.ts'
import { silentLogger } from '../../src/ports/logger.ts'
import type { Part } from '../../src/ports/part.ts'
import type { Storage } from '../../src/ports/storage.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { moment } from '../integrations/http.ts'

/** Writes down what is asked of it. */
function part(name: string, log: string[], hooks: Partial<Part> = {}): Part {
  return {
    name,
    health: () => ({ status: 'ok' }),
    async start(signal) {
      log.push(`${name} starts`)
      await hooks.start?.(signal)
    },
    async stop(options) {
      log.push(`${name} stops in ${options.drainMs}`)
      await hooks.stop?.(options)
    },
  }
}

function setUp(...parts: Array<(log: string[]) => Part>) {
  const log: string[] = []
  const clock = testClock()
  const memory = memoryStorage({ clock })
  const storage: Storage = {
    ...memory,
    open: (signal) => memory.open(signal).then(() => void log.push('storage opens')),
    close: () => memory.close().then(() => void log.push('storage closes')),
  }
  const lifecycle = new Lifecycle({ service: 'shop', storage, parts: parts.map((make) => make(log)), clock, logger: silentLogger })
  return { log, clock, storage, lifecycle }
}

const stopping = (options: { drainMs?: number; leaveMs?: number; servers?: readonly ClosableServer[] } = {}) => ({
  drainMs: 1_000,
  leaveMs: 0,
  servers: [],
  ...options,
})

const a = (log: string[]) => part('a', log)
const b = (log: string[]) => part('b', log)

describe('start', () => {
  test('opens the storage, then starts each part, once, however many ask', async () => {
    const { lifecycle, log } = setUp(a, b)
    expect(lifecycle.state).toBe('stopped')
    await Promise.all([lifecycle.start(), lifecycle.start()])
    await lifecycle.start()
    expect([lifecycle.state, log]).toEqual(['running', ['storage opens', 'a starts', 'b starts']])
  })

  test('that fails leaves nothing open, and can be tried again', async () => {
    let bad = true
    const failing = (log: string[]) =>
      part('b', log, {
        start: async () => {
          if (bad) throw new Error('not yet')
        },
      })
    const { lifecycle, log } = setUp(a, failing)
    await expect(lifecycle.start()).rejects.toThrow('not yet')
    expect([lifecycle.state, log]).toEqual([
      'stopped',
      ['storage opens', 'a starts', 'b starts', 'a stops in 0', 'b stops in 0', 'storage closes'],
    ])
    bad = false
    log.length = 0
    await lifecycle.start()
    expect([lifecycle.state, log]).toEqual(['running', ['storage opens', 'a starts', 'b starts']])
  })

  test('gives up at once when stop comes first, and says so', async () => {
    const waiting = (log: string[]) =>
      part('a', log, { start: (signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))) })
    const { lifecycle, log } = setUp(waiting, b)
    const started = expect(lifecycle.start()).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    await lifecycle.stop(stopping())
    await started
    expect([lifecycle.state, log.includes('b starts'), log.at(-1)]).toEqual(['stopped', false, 'storage closes'])
  })

  test('starts no further part when stop came while one would not listen', async () => {
    const gate = moment()
    const arrived = moment()
    const deaf = (log: string[]) => part('a', log, { start: () => Promise.resolve(arrived.come()).then(() => gate.at) })
    const { lifecycle, log } = setUp(deaf, b)
    const started = expect(lifecycle.start()).rejects.toMatchObject({ code: 'ABORTED' })
    await arrived.at
    const stopped = lifecycle.stop(stopping())
    gate.come()
    await Promise.all([started, stopped])
    expect([lifecycle.state, log.includes('b starts')]).toEqual(['stopped', false])
  })

  test('during a stop comes after it', async () => {
    const { lifecycle, log } = setUp(a)
    await lifecycle.start()
    log.length = 0
    const stopped = lifecycle.stop(stopping())
    await lifecycle.start()
    await stopped
    expect([lifecycle.state, log]).toEqual(['running', ['a stops in 1000', 'storage closes', 'storage opens', 'a starts']])
  })

  test('during a stop is taken back by another stop', async () => {
    const { lifecycle } = setUp(a)
    await lifecycle.start()
    const first = lifecycle.stop(stopping())
    const again = expect(lifecycle.start()).rejects.toMatchObject({ code: 'ABORTED' })
    await Promise.all([first, lifecycle.stop(stopping()), again])
    expect(lifecycle.state).toBe('stopped')
  })
})

describe('stop', () => {
  test('before a start closes the servers, and nothing else', async () => {
    const { lifecycle, log } = setUp(a)
    await lifecycle.stop(stopping({ servers: [{ close: (done) => done(void log.push('server closes') as undefined) }] }))
    expect(log).toEqual(['server closes'])
  })

  test('is not ready, leaves, closes servers, stops the parts with what is left of drainMs, closes the storage', async () => {
    const { lifecycle, log, clock } = setUp(a, b)
    await lifecycle.start()
    log.length = 0
    let done = (): void => {}
    const server: ClosableServer = {
      close(callback) {
        log.push(`server closes at ${clock.nowMs()}`)
        done = callback
      },
    }
    const stopped = lifecycle.stop(stopping({ leaveMs: 200, servers: [server] }))
    expect(lifecycle.state).toBe('stopping')
    await clock.advance(199)
    expect(log).toEqual([])
    await clock.advance(301)
    done()
    await stopped
    expect([lifecycle.state, log, clock.pending]).toEqual([
      'stopped',
      ['server closes at 200', 'a stops in 700', 'b stops in 700', 'storage closes'],
      0,
    ])
  })

  test('is done once, however many ask', async () => {
    const { lifecycle, log } = setUp(a)
    await lifecycle.start()
    log.length = 0
    await Promise.all([lifecycle.stop(stopping()), lifecycle.stop(stopping())])
    await lifecycle.stop(stopping())
    expect(log).toEqual(['a stops in 1000', 'storage closes'])
  })

  test('closes the storage also when a part or another fails', async () => {
    const failing = (log: string[]) => part('a', log, { stop: () => Promise.reject(new Error('no')) })
    const { lifecycle, log } = setUp(failing, b)
    await lifecycle.start()
    await lifecycle.stop(stopping())
    expect([lifecycle.state, log.slice(-3)]).toEqual(['stopped', ['a stops in 1000', 'b stops in 1000', 'storage closes']])
  })

  test('cuts what servers have not finished by drainMs', async () => {
    const { lifecycle, log, clock } = setUp(a)
    await lifecycle.start()
    log.length = 0
    const looks: number[] = []
    const server: ClosableServer = {
      close: () => {},
      closeIdleConnections: () => void looks.push(clock.nowMs()),
      closeAllConnections: () => void log.push(`cut at ${clock.nowMs()}`),
    }
    const stopped = lifecycle.stop(stopping({ servers: [server], drainMs: 120 }))
    await clock.advance(120)
    await stopped
    expect([looks, log]).toEqual([
      [0, 50, 100, 120],
      ['cut at 120', 'a stops in 0', 'storage closes'],
    ])
  })

  test.each<[string, (log: string[]) => ClosableServer['close']]>([
    ['fails', () => (done) => done(new Error('not running'))],
    [
      'throws',
      () => () => {
        throw new Error('not running')
      },
    ],
    ['answers with a promise', () => async () => {}],
    ['answers with a promise that rejects', () => () => Promise.reject(new Error('no'))],
  ])('is not held up by a server whose close %s', async (_, close) => {
    const { lifecycle, log, clock } = setUp(a)
    await lifecycle.start()
    await lifecycle.stop(stopping({ servers: [{ close: close(log) }] }))
    expect([lifecycle.state, clock.pending]).toEqual(['stopped', 0])
  })
})

test('what is logged names the service and what happened', async () => {
  const lines: Array<[string, object]> = []
  const line = (details: object, message: string): void => void lines.push([message, details])
  const clock = testClock()
  const held = moment()
  const late = part('late', [], { stop: () => Promise.reject(held) })
  const logger = { debug: line, info: line, warn: line, error: line }
  const lifecycle = new Lifecycle({ service: 'shop', storage: memoryStorage(), parts: [late], clock, logger })
  await lifecycle.start()
  const stopped = lifecycle.stop(stopping({ servers: [{ close: () => {} }], drainMs: 1 }))
  await clock.advance(1)
  await stopped
  expect(lines).toEqual([
    ['holdfast started', { service: 'shop', parts: ['late'], storage: 'memory' }],
    ['servers still had requests after drainMs; their connections were cut', { service: 'shop', servers: 1, drainMs: 1 }],
    ['a part did not stop cleanly', { service: 'shop', error: held }],
    ['holdfast stopped', { service: 'shop' }],
  ])
})
