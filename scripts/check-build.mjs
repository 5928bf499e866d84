// What a build has got wrong before, looked for in every build.
import { existsSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { commandFiles, outputs } from './entries.mjs'
import { filesBelow, root } from './files.mjs'

/** Our sources that stand in more than one output of a format: two copies of a class, two registries, two brands. */
function duplicates(folder, ending) {
  const homes = new Map()
  const found = []
  for (const map of filesBelow(folder, `${ending}.map`)) {
    for (const source of JSON.parse(readFileSync(root + map, 'utf8')).sources) {
      const ours = /(?:^|\/)(src\/.+\.ts)$/.exec(source)?.[1]
      if (!ours) continue
      if (homes.has(ours)) found.push(`${ours} stands in both ${homes.get(ours)} and ${map}`)
      else homes.set(ours, map)
    }
  }
  return found
}

/** Public class fields in the output: `useDefineForClassFields: false` did not take (native fields made a whole call path 3.3x slower). */
function nativeFields(file) {
  const found = []
  const source = ts.createSourceFile(file, readFileSync(root + file, 'utf8'), ts.ScriptTarget.ES2022, true)
  const visit = (node) => {
    const isStatic = node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.StaticKeyword)
    if (ts.isPropertyDeclaration(node) && !isStatic && !ts.isPrivateIdentifier(node.name))
      found.push(`${file}: native class field ${node.name.getText()}`)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** Helpers of a compiler that lowers syntax every Node we support has. */
const lowered = /\b(?:_nullishCoalesce|_optionalChain|_asyncNullishCoalesce|__async|__publicField|__privateGet)\b/

/** Built-ins that exist with the prefix only. */
const bareBuiltin = /(?:from\s*|require\(|import\()["'](?:sqlite|test|sea|diagnostics_channel|async_hooks|fs|path|crypto)["']/

const missing = (folder) =>
  Object.keys(outputs).flatMap((name) =>
    ['.js', '.cjs', '.d.ts', '.d.cts'].map((ending) => `${folder}/${name}${ending}`).filter((file) => !existsSync(root + file)),
  )

/** Without its first line a shell would read the program as its own. */
const shebangless = (folder) =>
  commandFiles
    .map((name) => `${folder}/${name}`)
    .filter((file) => !(existsSync(root + file) && readFileSync(root + file, 'utf8').startsWith('#!/usr/bin/env node\n')))
    .map((file) => `${file} does not begin with #!/usr/bin/env node`)

export function checkBuild(folder) {
  const code = filesBelow(folder, '.js', '.cjs')
  const texts = code.map((file) => [file, readFileSync(root + file, 'utf8')])
  const problems = [
    ...missing(folder).map((file) => `${file} is missing`),
    ...shebangless(folder),
    ...duplicates(folder, '.js'),
    ...duplicates(folder, '.cjs'),
    ...code.filter((file) => file.endsWith('.js')).flatMap(nativeFields),
    ...texts.filter(([, text]) => lowered.test(text)).map(([file, text]) => `${file}: lowered syntax (${lowered.exec(text)[0]})`),
    ...texts
      .filter(([, text]) => bareBuiltin.test(text))
      .map(([file, text]) => `${file}: a built-in lost its prefix (${bareBuiltin.exec(text)[0]})`),
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))
}
