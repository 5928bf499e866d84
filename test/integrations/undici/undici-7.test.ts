import * as undici from 'undici'
import { describe } from 'vitest'
import { interceptorCases } from './interceptor-cases.ts'
import { repeatCases } from './repeat-cases.ts'

describe('a request under the interceptor', () => interceptorCases(undici))
describe('repeats under the interceptor', () => repeatCases(undici))
