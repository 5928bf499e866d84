import { channel } from 'node:diagnostics_channel'
import { describe, expect, test, vi } from 'vitest'
import { diagnostics } from '../../src/core/diagnostics.ts'
import { Emitter } from '../../src/core/events.ts'
import { thrownBy, uncaughtWhile } from './support.ts'

type Heard = { readonly opened: { readonly n: number }; readonly closed: { readonly n: number } }

describe('an emitter', () => {
  test('tells its listeners in order, each event to its own', () => {
    const events = new Emitter<Heard>()
    const seen: unknown[] = []
    events.emit('opened', { n: 0 })
    events.on('opened', ({ n }) => seen.push(['a', n]))
    events.on('opened', ({ n }) => seen.push(['b', n]))
    events.on('closed', ({ n }) => seen.push(['c', n]))
    events.emit('opened', { n: 1 })
    events.emit('closed', { n: 2 })
    expect(seen).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 2],
    ])
  })

  test('lets a listener that was given twice leave once', () => {
    const events = new Emitter<Heard>()
    const listener = vi.fn()
    const off = events.on('opened', listener)
    events.on('opened', listener)
    off()
    off()
    events.emit('opened', { n: 1 })
    expect(listener).toHaveBeenCalledOnce()
  })

  test('tells once, also when the listener emits again, and not after it left', () => {
    const events = new Emitter<Heard>()
    const listener = vi.fn(() => events.emit('opened', { n: 2 }))
    events.once('opened', listener)
    const never = vi.fn()
    events.once('opened', never)()
    events.emit('opened', { n: 1 })
    events.emit('opened', { n: 3 })
    expect(listener.mock.calls).toEqual([[{ n: 1 }]])
    expect(never).not.toHaveBeenCalled()
  })

  test('lets a listener that throws reach nobody but the process', async () => {
    const events = new Emitter<Heard>()
    const after = vi.fn()
    const bug = new Error('a bug')
    events.on('opened', () => {
      throw bug
    })
    events.on('opened', after)
    expect(await uncaughtWhile(() => events.emit('opened', { n: 1 }))).toEqual([bug])
    expect(after).toHaveBeenCalledOnce()
  })

  test.each(['on', 'once'] as const)('refuses a listener that is none (%s)', (verb) => {
    const events = new Emitter<Heard>()
    expect(thrownBy(() => events[verb]('opened', 'log' as never))).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: `${verb}: the listener of opened must be a function, got "log"`,
    })
  })
})

test('the diagnostics channels are those of Node under the documented names', () => {
  const seen: unknown[] = []
  const listener = (message: unknown) => seen.push(message)
  for (const name of ['policy', 'bus', 'saga'] as const) {
    channel(`holdfast:${name}`).subscribe(listener)
    expect(diagnostics[name].hasSubscribers).toBe(true)
    diagnostics[name].publish(name)
    channel(`holdfast:${name}`).unsubscribe(listener)
    expect(diagnostics[name].hasSubscribers).toBe(false)
  }
  expect(seen).toEqual(['policy', 'bus', 'saga'])
})
