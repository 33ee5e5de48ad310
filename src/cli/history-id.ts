/** The number of an entry in the history, from the command line. */
import { VmpkgError } from '../errors.ts'

/** @throws {VmpkgError} `USAGE` */
export function historyId(text: string | undefined): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text)
  throw new VmpkgError(
    'USAGE',
    `An entry of the history is a number, not ${JSON.stringify((text ?? '').slice(0, 40))}`,
    {
      hint: 'Run vmpkg history to see the numbers.',
    },
  )
}
