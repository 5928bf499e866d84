// The reference of every entry point, into docs/site. Which they are comes from the table of entries.
import { Application, TSConfigReader, TypeDocReader } from 'typedoc'
import { entries } from './entries.mjs'
import { root } from './files.mjs'

const app = await Application.bootstrapWithPlugins(
  { options: `${root}typedoc.json`, entryPoints: Object.values(entries).map((source) => root + source) },
  [new TypeDocReader(), new TSConfigReader()],
)
const project = await app.convert()
if (!project) throw new Error('the sources do not compile; npm run check says where')
app.validate(project)
await app.generateOutputs(project)
if (app.logger.hasErrors()) process.exitCode = 1
