import { VmpkgError } from '../../errors.ts'
import { describeSchema, SCHEMAS } from '../../operations/schema.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<schema> [package]',
  summary: 'Print a JSON Schema: of vmpkg.yaml, of recipe.yaml, or of a package’s parameters.',
  description:
    'SCHEMA is manifest, recipe or parameters; parameters takes an installed\n' +
    'package or the path of a package folder. Editors complete and check files by it.',
  options: [],
  examples: ['vmpkg schema manifest', 'vmpkg schema parameters ./templates/router-uni'],
  async run({ args, io }) {
    const [written = '', subject] = args
    const what = SCHEMAS.find((one) => one === written)
    if (what === undefined || (what === 'parameters') !== (subject !== undefined)) {
      throw new VmpkgError('USAGE', `schema takes ${SCHEMAS.join(', ')}, the last with a package`, {
        hint: 'As in: vmpkg schema manifest, or vmpkg schema parameters ./templates/router-uni',
      })
    }
    const schema = await describeSchema(await io.workspace(), what, subject)
    if (io.json) io.printJson('schema', { of: what, document: schema })
    else io.print(JSON.stringify(schema, undefined, 2))
    return 0
  },
}
