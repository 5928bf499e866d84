import * as undici7 from 'undici'
import { describe, expect, test } from 'vitest'
import { availability, describeWith, loadDriver } from '../../support/services.ts'
import type { Undici } from './agent.ts'
import { interceptorCases } from './interceptor-cases.ts'
import { repeatCases } from './repeat-cases.ts'

describeWith('undici 8', 'the interceptor on undici 8', () => {
  // Skipped tests are collected all the same, and need something to be collected with.
  const undici = availability('undici 8').ready ? loadDriver<Undici>('undici 8') : undici7

  test('is another undici than the one of the package’s own tests', () => expect(undici.Agent).not.toBe(undici7.Agent))
  describe('a request', () => interceptorCases(undici))
  describe('repeats', () => repeatCases(undici))
})
