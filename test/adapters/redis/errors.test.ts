import { expect, test } from 'vitest'
import { redisError } from '../../../src/adapters/redis/errors.ts'
import { HoldfastError } from '../../../src/core/errors.ts'

const write = { name: 'put', writes: true }
const read = { name: 'get', writes: false }
const named = (name: string, message: string, more: object = {}): Error => Object.assign(new Error(message), { name, ...more })

test.each([
  'NOAUTH Authentication required.',
  "NOPERM User app has no permissions to run the 'evalsha' command",
  'WRONGPASS invalid username-password pair or user is disabled.',
])('says that nothing was written and that trying again is of no use: %s', (message) => {
  expect(redisError(named('ReplyError', message), write)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'never' })
})

test.each([
  'LOADING Redis is loading the dataset in memory',
  "READONLY You can't write against a read only replica. script: 6b1bf486c81ceb7edf3c093f4c48582e38c0e791, on @user_script:1.",
  "ERR Error running script (call to f_6b1b): @user_script:1: READONLY You can't write against a read only replica.",
  "OOM command not allowed when used memory > 'maxmemory'.",
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  'MASTERDOWN Link with MASTER is down',
  'CLUSTERDOWN The cluster is down',
  'NOREPLICAS Not enough good replicas to write.',
  'BUSY Redis is busy running a script.',
])('says that nothing was written, and that later may be better: %s', (message) => {
  expect(redisError(named('ReplyError', message), write)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
})

test.each([
  named('ClientClosedError', 'The client is closed'),
  named('Error', "Stream isn't writeable and enableOfflineQueue options is false"),
  named('Error', 'connect ECONNREFUSED 127.0.0.1:6379', { code: 'ECONNREFUSED' }),
])('says that nothing was written where the command never left: $message', (error) => {
  expect(redisError(error, write)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later', cause: error })
})

test.each([
  named('Error', 'Connection is closed.'),
  named('MaxRetriesPerRequestError', 'Reached the max retries per request limit (which is 20).'),
  named('SocketClosedUnexpectedlyError', 'Socket closed unexpectedly'),
  named('Error', 'read ECONNRESET', { code: 'ECONNRESET' }),
  'thrown as a text',
])('says that a write may have happened, and that a read has not: %s', (error) => {
  expect(redisError(error, write)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown', retry: 'later' })
  expect(redisError(error, read)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
})

test('leaves our own errors as they are', () => {
  const error = new HoldfastError('ABORTED', 'enough')
  expect(redisError(error, write)).toBe(error)
})
