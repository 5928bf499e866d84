// Writes the public surface of each entry point to docs/api/<entry>.api.md, from the built declarations.
// node scripts/api-report.mjs          fails where a report differs from what was built
// node scripts/api-report.mjs --write  writes the reports
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { entries, specifiers } from './entries.mjs'
import { filesBelow, root } from './files.mjs'

const nameOf = (path) => (path === '.' ? 'holdfast' : path.slice(2))
const declarationOf = (source) => root + source.replace(/^src/, 'dist').replace(/\.ts$/, '.d.ts')
/** The root comes last, so that what it re-exports is spelled out once, under its own area. */
const order = Object.keys(entries).sort((a, b) => Number(a === '.') - Number(b === '.'))

function render(symbol, printer) {
  const texts = symbol.declarations.map((declaration) => {
    const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
    return printer.printNode(ts.EmitHint.Unspecified, statement, statement.getSourceFile()).replace(/^export (?:declare )?|^declare /, '')
  })
  return [...new Set(texts)].join('\n')
}

/** Entry → text of its report. */
export function reports() {
  const program = ts.createProgram(
    order.map((path) => declarationOf(entries[path])),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      types: ['node'],
      strict: true,
      noEmit: true,
    },
  )
  const checker = program.getTypeChecker()
  const printer = ts.createPrinter({ removeComments: true })
  const home = new Map()
  return new Map(
    order.map((path) => {
      const specifier = Object.keys(specifiers)[Object.keys(entries).indexOf(path)]
      const file = program.getSourceFile(declarationOf(entries[path]))
      const module = file && checker.getSymbolAtLocation(file)
      if (!module) throw new Error(`no declarations for ${specifier}: run npm run build`)
      const named = checker.getExportsOfModule(module).map((symbol) => ({
        name: symbol.name,
        target: symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
      }))
      const sections = named
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, target }) => {
          const elsewhere = home.get(target)
          if (!elsewhere) home.set(target, specifier)
          return elsewhere ? `// ${name}: see ${elsewhere}` : render(target, printer)
        })
      return [
        path,
        `# ${specifier}\n\nWritten by \`npm run api\`. A change here is a change of the public surface.\n\n\`\`\`ts\n${sections.join('\n\n')}\n\`\`\`\n`,
      ]
    }),
  )
}

const fileOf = (path) => `docs/api/${nameOf(path)}.api.md`

/** One line for each report that differs from what was built. */
export function differingReports() {
  const current = reports()
  const expected = new Set([...current.keys()].map(fileOf))
  const differing = [...current].filter(
    ([path, text]) => !existsSync(root + fileOf(path)) || readFileSync(root + fileOf(path), 'utf8') !== text,
  )
  return [
    ...differing.map(([path]) => `${fileOf(path)} differs from the built declarations (npm run api writes it)`),
    ...filesBelow('docs/api', '.api.md')
      .filter((file) => !expected.has(file))
      .map((file) => `${file} belongs to no entry point`),
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) {
    rmSync(`${root}docs/api`, { recursive: true, force: true })
    mkdirSync(`${root}docs/api`, { recursive: true })
    for (const [path, text] of reports()) writeFileSync(root + fileOf(path), text)
  }
  const found = differingReports()
  for (const line of found) console.error(line)
  process.exitCode = found.length > 0 ? 1 : 0
}
