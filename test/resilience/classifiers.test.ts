import { describe, expect, test } from 'vitest'
import { failedWith, succeeded } from '../../src/core/effect.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import { circuitBreaker, consecutive, httpFailures, postgresFailures, redisFailures } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const coded = (code: unknown, message = 'of the driver', more: object = {}) => Object.assign(new Error(message), { code, ...more })
const late = new HoldfastError('TIMEOUT', 'no answer within 5 ms')

describe('httpFailures', () => {
  test.each([
    [new Response('', { status: 200 }), 'success'],
    [new Response('', { status: 404 }), 'success'],
    [new Response('', { status: 429 }), 'failure'],
    [new Response('', { status: 500 }), 'failure'],
    [{ status: 503 }, 'failure'],
    [{ statusCode: 502 }, 'failure'],
    [{ status: 499 }, 'success'],
    [{ status: 'late' }, 'success'],
    [undefined, 'success'],
  ])('an answer of %j is a %s', (value, verdict) => expect(httpFailures(succeeded(value))).toBe(verdict))

  test.each([
    [{ status: 503 }, 'failure'],
    [{ status: 409 }, 'success'],
    [Object.assign(new Error('axios'), { response: { status: 422 } }), 'success'],
    [Object.assign(new Error('axios'), { response: { status: 500 } }), 'failure'],
    [new TypeError('fetch failed', { cause: coded('ECONNREFUSED') }), 'failure'],
    [late, 'failure'],
    ['a text', 'failure'],
  ])('a thrown %j is a %s', (error, verdict) => expect(httpFailures(failedWith(error))).toBe(verdict))
})

describe('postgresFailures', () => {
  test.each([
    ['08006', 'failure'],
    ['53300', 'failure'],
    ['57P01', 'failure'],
    ['57P03', 'failure'],
    ['57014', 'success'],
    ['23505', 'success'],
    ['40001', 'success'],
    ['42P01', 'success'],
    ['ECONNRESET', 'failure'],
    ['EPIPE', 'failure'],
    ['CONNECT_TIMEOUT', 'failure'],
    ['ERR_INVALID_ARG_TYPE', 'ignore'],
    [8006, 'ignore'],
  ])('an error with the code %s is a %s', (code, verdict) => expect(postgresFailures(failedWith(coded(code)))).toBe(verdict))

  test.each([
    [new Error('wrapped', { cause: coded('23505') }), 'success'],
    [new Error('wrapped', { cause: coded('57P01') }), 'failure'],
    [new AggregateError([coded('ECONNREFUSED')], 'both families'), 'failure'],
    [new Error('Connection terminated unexpectedly'), 'failure'],
    [new Error('timeout exceeded when trying to connect'), 'failure'],
    [new Error('Query read timeout'), 'failure'],
    [late, 'failure'],
    [new TypeError('x is undefined'), 'ignore'],
    ['a text', 'ignore'],
    [null, 'ignore'],
  ])('a thrown %s is a %s', (error, verdict) => expect(postgresFailures(failedWith(error))).toBe(verdict))

  test('a result succeeds', () => expect(postgresFailures(succeeded({ code: '57P01' }))).toBe('success'))
})

describe('redisFailures', () => {
  test.each([
    ['LOADING Redis is loading the dataset in memory', 'failure'],
    ['CLUSTERDOWN The cluster is down', 'failure'],
    ['MASTERDOWN Link with MASTER is down', 'failure'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'failure'],
    ['READONLY You can not write against a read only replica.', 'failure'],
    ['OOM command not allowed', 'failure'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'success'],
    ['NOSCRIPT No matching script', 'success'],
    ['ERR unknown command', 'success'],
    ['Connection is closed.', 'failure'],
    ['Reached the max retries per request limit (which is 20).', 'failure'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'failure'],
    ['Failed to refresh slots cache.', 'failure'],
    ['All sentinels are unreachable and retry is disabled.', 'failure'],
    ['All the root nodes are unavailable', 'failure'],
    ['Socket timeout. Expecting data, but did not receive any in 5ms.', 'failure'],
    ['Disconnects client', 'ignore'],
    ['x is undefined', 'ignore'],
    ['A sentence of the program', 'ignore'],
  ])('%s: %s', (message, verdict) => expect(redisFailures(failedWith(new Error(message)))).toBe(verdict))

  test.each([
    [coded('ECONNREFUSED'), 'failure'],
    [Object.assign(new Error('any'), { name: 'MaxRetriesPerRequestError' }), 'failure'],
    [new (class SocketClosedUnexpectedlyError extends Error {})('any'), 'failure'],
    [late, 'failure'],
    [7, 'ignore'],
    [Object.assign(new Error('1 commands failed'), { replies: ['OK', new Error('WRONGTYPE Operation')] }), 'success'],
    [Object.assign(new Error('1 commands failed'), { replies: ['OK', new Error('OOM command not allowed')] }), 'failure'],
    [Object.assign(new Error('EXECABORT discarded'), { previousErrors: [new Error('MISCONF Redis')] }), 'failure'],
  ])('a thrown %s is a %s', (error, verdict) => expect(redisFailures(failedWith(error))).toBe(verdict))

  test.each(['ClientOfflineError', 'ClusterAllFailedError', 'RootNodesUnavailableError', 'SocketTimeoutError'])(
    'a %s is a failure',
    (name) => {
      const NamedError = { [name]: class extends Error {} }[name] as typeof Error
      expect(redisFailures(failedWith(new NamedError('any')))).toBe('failure')
    },
  )

  test('a result succeeds', () => expect(redisFailures(succeeded(null))).toBe('success'))
})

test('causes that go in a circle end', () => {
  const a = new Error('a')
  const b = new Error('b', { cause: a })
  a.cause = b
  expect(postgresFailures(failedWith(a))).toBe('ignore')
  expect(redisFailures(failedWith(a))).toBe('ignore')
})

test('a breaker with one of them opens for an outage, not for a unique violation', async () => {
  const breaker = circuitBreaker({ clock: testClock(), trips: consecutive(2), classify: postgresFailures })
  for (let n = 0; n < 5; n++) await breaker.tryRun(() => Promise.reject(coded('23505')))
  expect(breaker.state).toBe('closed')
  for (let n = 0; n < 2; n++) await breaker.tryRun(() => Promise.reject(coded('57P01')))
  expect(breaker.state).toBe('open')
})
