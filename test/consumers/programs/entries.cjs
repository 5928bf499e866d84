// Every entry point loads in CommonJS without the optional peers, and `holdfast/saga` loads no more than its own area needs.
const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { dirname, join, relative } = require('node:path')

// The maps are not published: HOLDFAST_BUILD names the folder of the repository that has them.
const home = dirname(require.resolve('holdfast/package.json'))
require('holdfast/saga')
const files = Object.keys(require.cache)
const ours = files.filter((file) => file.startsWith(home) && file.endsWith('.cjs'))
assert.ok(ours.length > 0)
const rooms = new Set(
  ours.flatMap((file) =>
    JSON.parse(readFileSync(join(process.env.HOLDFAST_BUILD, `${relative(home, file)}.map`), 'utf8'))
      .sources.map((source) => /(?:^|\/)src\/([^/]+)\//.exec(source)?.[1])
      .filter(Boolean),
  ),
)
const needed = ['core', 'ports', 'resilience', 'messaging', 'saga']
assert.deepEqual(
  [...rooms].filter((room) => !needed.includes(room)),
  [],
  'holdfast/saga loads rooms that it does not need',
)
assert.ok(!files.some((file) => file.includes(join('node_modules', 'zod'))), 'holdfast/saga loads zod')

const { exports: entries } = require('holdfast/package.json')
for (const path of Object.keys(entries)) assert.ok(Object.keys(require(join('holdfast', path))).length > 0, `${path} exports nothing`)
console.log(`${Object.keys(entries).length} entry points load`)
