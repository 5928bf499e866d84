import { describe, expect, test } from 'vitest'
import { cycles, forbiddenImports } from './layers.ts'
import { sourcesIn } from './sources.ts'

const source = (path: string, ...lines: string[]) => ({ path, text: lines.join('\n') })

describe('the sources', () => {
  const sources = sourcesIn('src')

  test('import only what the table allows', () => {
    expect(forbiddenImports(sources)).toEqual([])
  })

  test('have no import cycles, type imports included', () => {
    expect(cycles(sources)).toEqual([])
  })
})

describe('the layer rule', () => {
  test('names the offending line', () => {
    const offender = source('src/core/a.ts', '/** why */', "import type { X } from '../saga/x.ts'")
    expect(forbiddenImports([offender])).toEqual(["src/core/a.ts:2: import type { X } from '../saga/x.ts' (core may import nothing)"])
  })

  test.each([
    ['src/core/a.ts', "import z from 'zod'"],
    ['src/ports/a.ts', "export * from '../resilience/a.ts'"],
    ['src/saga/a.ts', "import { memory } from '../adapters/memory/index.ts'"],
    ['src/saga/a.ts', "const a = await import('../app/a.ts')"],
    ['src/resilience/a.ts', "import {\n  a,\n} from '../saga/a.ts'"],
    ['src/adapters/sqlite/a.ts', "import { a } from '../memory/index.ts'"],
    ['src/adapters/sqlite/a.ts', "import { a } from '../../messaging/index.ts'"],
    ['src/integrations/fetch/a.ts', "import { a } from '../express/index.ts'"],
    ['src/integrations/fetch/a.ts', "import { a } from '../../saga/index.ts'"],
    ['src/integrations/http-shared/a.ts', "import { a } from '../fetch/a.ts'"],
    ['src/integrations/http-shared/a.ts', "import { a } from '../../resilience/index.ts'"],
    ['src/testing/a.ts', "import { a } from '../app/index.ts'"],
    ['src/core/a.ts', "import { a } from '../index.ts'"],
    ['src/unheard-of/a.ts', "import { a } from '../core/a.ts'"],
  ])('refuses %s: %s', (path, statement) => {
    expect(forbiddenImports([source(path, statement)])).toHaveLength(1)
  })

  test.each([
    ['src/core/a.ts', "import { EventEmitter } from 'eventemitter3'"],
    ['src/core/a.ts', "import { b } from './b.ts'"],
    ['src/saga/a.ts', "import { b } from '../messaging/b.ts'"],
    ['src/adapters/sqlite/a.ts', "import { a } from '../sql-shared/a.ts'"],
    ['src/integrations/undici/a.ts', "import { a } from '../http-shared/a.ts'"],
    ['src/integrations/express/a.ts', "import type { Health } from '../../app/health.ts'"],
    ['src/app/a.ts', "import { a } from '../adapters/memory/index.ts'"],
    ['src/core/a.ts', "// import { a } from '../saga/a.ts'"],
  ])('allows %s: %s', (path, statement) => {
    expect(forbiddenImports([source(path, statement)])).toEqual([])
  })

  test('finds a cycle through a type import', () => {
    const files = [
      source('src/core/a.ts', "import { b } from './b.ts'"),
      source('src/core/b.ts', "import { c } from './c.ts'"),
      source('src/core/c.ts', "import type { A } from './a.ts'"),
    ]
    expect(cycles(files)).toEqual(['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts'])
  })
})
