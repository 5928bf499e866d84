// Finds exports that no other source file uses and no entry point reaches.
import ts from 'typescript'
import { entries } from './entries.mjs'
import { root } from './files.mjs'

/** What only the suite reaches for, on purpose. */
const seams = {
  'src/core/compose.ts': ['insertion'], // test/support/identity.ts inserts its policy here
}

function createProgram() {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options, fileNames } = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, root)
  return ts.createProgram(fileNames, options)
}

const isType = (declaration) => ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)

/** Whether a node stands in an exported statement of its file, other than the declaration of what it names. */
function isExported(node, declaration) {
  let statement = node
  while (!ts.isSourceFile(statement.parent)) statement = statement.parent
  return statement !== declaration && statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
}

/** One line for each export that could lose its `export`, or go. */
export function deadExports() {
  const program = createProgram()
  const checker = program.getTypeChecker()
  const sources = program.getSourceFiles().filter((file) => file.fileName.startsWith(`${root}src/`))
  const resolve = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol)
  const exportsOf = (file) => {
    const symbol = checker.getSymbolAtLocation(file)
    return symbol ? checker.getExportsOfModule(symbol).map(resolve) : []
  }

  const used = new Set(
    Object.values(entries).flatMap((entry) => sources.filter((file) => file.fileName === root + entry).flatMap(exportsOf)),
  )
  for (const file of sources) {
    const visit = (node) => {
      const isIdentifier = ts.isIdentifier(node) && !ts.isExportSpecifier(node.parent)
      const symbol = isIdentifier ? checker.getSymbolAtLocation(node) : undefined
      const target = symbol && resolve(symbol)
      // Used in another file than the one that declares it (`export … from` alone uses nothing), or a type that an export beside it is made of.
      if (
        target?.declarations?.some(
          (declaration) => declaration.getSourceFile() !== file || (isType(declaration) && isExported(node, declaration)),
        )
      ) {
        used.add(target)
      }
      ts.forEachChild(node, visit)
    }
    visit(file)
  }

  return sources.flatMap((file) =>
    exportsOf(file)
      .filter((symbol) => !seams[file.fileName.slice(root.length)]?.includes(symbol.name))
      .filter((symbol) => !used.has(symbol) && symbol.declarations?.some((declaration) => declaration.getSourceFile() === file))
      .map((symbol) => {
        const declaration = symbol.declarations.find((candidate) => candidate.getSourceFile() === file)
        const { line } = file.getLineAndCharacterOfPosition(declaration.getStart())
        return `${file.fileName.slice(root.length)}:${line + 1}: ${symbol.name} is exported, but nothing in src uses it and no entry point reaches it`
      }),
  )
}
