// Every entry point loads as an ES module, and errors of the two copies of the package know each other.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { declined, HoldfastError } from 'holdfast'

const require = createRequire(import.meta.url)
const { exports: entries } = require('holdfast/package.json')
for (const path of Object.keys(entries).filter((path) => path !== './package.json')) {
  assert.ok(Object.keys(await import(`holdfast${path.slice(1)}`)).length > 0, `${path} exports nothing`)
}

const commonJs = require('holdfast')
assert.notEqual(commonJs.HoldfastError, HoldfastError)
assert.ok(commonJs.declined('no') instanceof HoldfastError)
assert.ok(declined('no') instanceof commonJs.HoldfastError)
console.log('the two copies know each other')
