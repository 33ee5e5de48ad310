/** `--grant`: a word that names no capability would be a yes to nothing. */
import { VmpkgError } from '../errors.ts'
import { GRANT_NAMES } from '../model/capability.ts'
import { type OptionValues, optionList } from './command.ts'

/** @throws {VmpkgError} `USAGE` */
export function grantOptions(options: OptionValues): readonly string[] {
  const words = optionList(options, 'grant')
  const unknown = words.find((word) => !GRANT_NAMES.some((name) => name === word))
  if (unknown === undefined) return words
  throw new VmpkgError('USAGE', `--grant: there is no capability ${JSON.stringify(unknown.slice(0, 60))}`, {
    hint: `There are ${GRANT_NAMES.join(', ')}.`,
    details: { capability: unknown },
  })
}
