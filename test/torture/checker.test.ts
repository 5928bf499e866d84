import { describe, expect, test } from 'vitest'
import { check } from './checker.ts'
import type { Answer, Ask, History, Kept, Place } from './history.ts'

/** Three requests, one after the other: a1 and a2 to stream a, with b1 in between; a conflict and a reader of it all. */
function honest(): { asks: Ask[]; answers: Answer[]; readings: History['readings'][number][]; kept: Kept[]; held: string[]; log: Place[] } {
  const ask = (name: string, stream: string, expected: Ask['writes'][number]['expect'], events: string[], askedUs: number): Ask => ({
    request: `w/${name}`,
    writes: [{ stream, expect: expected, events }],
    tags: [`of ${stream}`],
    joined: false,
    askedUs,
  })
  const place = (position: number, id: string, stream: string, version: number): Place => ({
    position,
    id,
    stream,
    version,
    tags: [`of ${stream}`],
  })
  const answer = (name: string, askedUs: number, change: Partial<Answer>): Answer => ({
    request: `w/${name}`,
    askedUs,
    answeredUs: askedUs + 5,
    result: 'ok',
    ...change,
  })
  const log = [place(1, 'a1', 'a', 1), place(2, 'b1', 'b', 1), place(3, 'a2', 'a', 2)]
  return {
    asks: [
      ask('one', 'a', 'none', ['a1'], 0),
      ask('two', 'b', 'any', ['b1'], 10),
      ask('three', 'a', 1, ['a2'], 20),
      ask('four', 'a', 1, ['a3'], 30),
    ],
    answers: [
      answer('one', 0, { versions: [1], position: 1 }),
      answer('two', 10, { versions: [1], position: 2 }),
      answer('three', 20, { versions: [2], position: 3 }),
      answer('four', 30, { result: 'conflict', conflict: { reason: 'stream', stream: 'a', actual: 2 } }),
    ],
    readings: [
      {
        reader: 'r',
        after: 0,
        batches: [
          { scannedTo: 2, events: log.slice(0, 2) },
          { scannedTo: 3, events: log.slice(2) },
        ],
      },
    ],
    kept: [
      { keeper: 'k', token: 1, from: 0, to: 2, isSaved: true },
      { keeper: 'l', token: 2, from: 2, to: 3, isSaved: true },
      { keeper: 'k', token: 1, from: 2, to: 3, isSaved: false },
    ],
    held: ['b'],
    log,
  }
}

const promises = (history: History): number[] => [...new Set(check(history).map(({ promise }) => promise))].sort((a, b) => a - b)

test('says nothing of an honest history', () => {
  expect(check(honest())).toEqual([])
})

describe('finds', () => {
  type Lie = (history: ReturnType<typeof honest>) => void
  const lies: Record<string, [number, Lie]> = {
    'a gap in the positions': [3, ({ log }) => log.splice(2, 1, { ...(log[2] as Place), position: 4 })],
    'a version against the positions': [
      3,
      ({ log }) => {
        log[0] = { ...(log[0] as Place), id: 'a2', version: 2 }
        log[2] = { ...(log[2] as Place), id: 'a1', version: 1 }
      },
    ],
    'an order against what was answered before': [
      3,
      ({ log }) => {
        log[0] = { ...(log[0] as Place), id: 'b1', stream: 'b' }
        log[1] = { ...(log[1] as Place), id: 'a1', stream: 'a' }
      },
    ],
    'an acknowledged request that is not there': [
      1,
      ({ log, readings }) => {
        log.pop()
        readings[0] = { reader: 'r', after: 0, batches: [] }
      },
    ],
    'an acknowledged joined request that is not there': [
      6,
      ({ asks, log, readings }) => {
        asks[2] = { ...(asks[2] as Ask), joined: true }
        log.pop()
        readings.length = 0
      },
    ],
    'a refused request that is there': [
      1,
      ({ answers }) => {
        answers[2] = { ...(answers[2] as Answer), result: 'none' }
      },
    ],
    'half a request': [
      5,
      ({ asks }) => {
        asks[2] = { ...(asks[2] as Ask), writes: [{ stream: 'a', expect: 1, events: ['a2', 'lost'] }] }
      },
    ],
    'an event twice': [4, ({ log }) => void log.push({ position: 4, id: 'b1', stream: 'b', version: 2, tags: [] })],
    'an event that nobody asked for': [1, ({ log }) => void log.push({ position: 4, id: 'x', stream: 'x', version: 1, tags: [] })],
    'a version that was not expected': [
      2,
      ({ asks }) => {
        asks[2] = { ...(asks[2] as Ask), writes: [{ stream: 'a', expect: 0, events: ['a2'] }] }
      },
    ],
    'two creations of one stream': [
      2,
      ({ asks }) => {
        asks[2] = { ...(asks[2] as Ask), writes: [{ stream: 'a', expect: 'none', events: ['a2'] }] }
      },
    ],
    'a receipt with another version': [
      2,
      ({ answers }) => {
        answers[2] = { ...(answers[2] as Answer), versions: [3] }
      },
    ],
    'a receipt with another position': [
      3,
      ({ answers }) => {
        answers[1] = { ...(answers[1] as Answer), position: 7 }
      },
    ],
    'a conflict with a version that was not there any more': [
      2,
      ({ answers }) => {
        answers[3] = { ...(answers[3] as Answer), conflict: { reason: 'stream', stream: 'a', actual: 0 } }
      },
    ],
    'a conflict with a version that was not there yet': [
      2,
      ({ asks, answers }) => {
        asks[3] = { ...(asks[3] as Ask), askedUs: 6, writes: [{ stream: 'a', expect: 1, events: ['a3'] }] }
        answers[3] = { ...(answers[3] as Answer), askedUs: 6, answeredUs: 8 }
      },
    ],
    'a conflict that is what was expected': [
      2,
      ({ answers }) => {
        answers[3] = { ...(answers[3] as Answer), conflict: { reason: 'stream', stream: 'a', actual: 1 } }
      },
    ],
    'a condition that did not hold': [
      5,
      ({ asks }) => {
        asks[2] = { ...(asks[2] as Ask), condition: { tags: ['of b'], after: 1 } }
      },
    ],
    'a condition that was refused for nothing': [
      5,
      ({ asks, answers }) => {
        asks[3] = { ...(asks[3] as Ask), condition: { tags: ['of b'], after: 2 } }
        answers[3] = { ...(answers[3] as Answer), conflict: { reason: 'condition' } }
      },
    ],
    'a stream against the order in which its process asked': [
      1,
      ({ asks, answers }) => {
        asks[2] = { ...(asks[2] as Ask), askedUs: 0 }
        asks[0] = { ...(asks[0] as Ask), askedUs: 1 }
        answers[0] = { ...(answers[0] as Answer), askedUs: 1 }
        answers[2] = { ...(answers[2] as Answer), askedUs: 0 }
      },
    ],
    'answers that were late though nobody held them up': [
      5,
      ({ answers }) => {
        answers[2] = { ...(answers[2] as Answer), answeredUs: 9_000_000 }
        answers[0] = { ...(answers[0] as Answer), answeredUs: 9_000_000 }
      },
    ],
    'a checkpoint moved by one who had lost its lease': [
      1,
      ({ kept }) => {
        kept.push({ keeper: 'k', token: 1, from: 3, to: 4, isSaved: true })
      },
    ],
    'a checkpoint moved twice from one place': [
      1,
      ({ kept }) => {
        kept[2] = { ...(kept[2] as Kept), token: 2, isSaved: true }
      },
    ],
    'a reader that skips': [
      3,
      ({ readings, log }) => {
        readings[0] = { reader: 'r', after: 0, batches: [{ scannedTo: 3, events: [log[0] as Place, log[2] as Place] }] }
      },
    ],
    'a reader that is told of nothing where something is': [
      3,
      ({ readings }) => {
        readings[0] = { reader: 'r', after: 0, batches: [{ scannedTo: 2, events: [] }] }
      },
    ],
    'a reader that saw another event': [
      3,
      ({ readings, log }) => {
        readings[0] = { reader: 'r', after: 0, batches: [{ scannedTo: 1, events: [{ ...(log[0] as Place), id: 'other' }] }] }
      },
    ],
    'a reader whose batch claims less than it gave': [
      8,
      ({ readings, log }) => {
        readings[0] = { reader: 'r', after: 0, batches: [{ scannedTo: 1, events: log.slice(0, 2) }] }
      },
    ],
  }

  test.each(Object.entries(lies))('%s', (_, [promise, lie]) => {
    const history = honest()
    lie(history)
    expect(promises(history)).toContain(promise)
  })

  test('nothing wrong with an answer that waited for a stream that somebody held', () => {
    const history = honest()
    history.answers[1] = { ...(history.answers[1] as Answer), answeredUs: 9_000_000 }
    expect(check(history)).toEqual([])
  })

  test('nothing wrong with an unknown request, whether it is there or not', () => {
    const there = honest()
    there.answers[2] = { ...(there.answers[2] as Answer), result: 'unknown' }
    const absent = honest()
    absent.answers[2] = { ...(absent.answers[2] as Answer), result: 'unknown' }
    absent.answers.splice(3, 1)
    absent.asks.splice(3, 1)
    absent.log.pop()
    absent.readings.length = 0
    expect([check(there), check(absent)]).toEqual([[], []])
  })
})
