import { VmpkgError } from '../../errors.ts'
import { listMarked, type Mark } from '../../operations/mark.ts'
import type { CommandSpec } from '../command.ts'
import { MARK_OPTIONS, runMark } from '../mark.ts'

const SHOWS: Readonly<Record<string, Mark>> = { showauto: 'auto', showmanual: 'manual', showhold: 'hold' }
const MARKS: readonly Mark[] = ['auto', 'manual', 'hold', 'unhold']

export const command: CommandSpec = {
  args: '<mark> [package...]',
  summary: 'Mark packages as installed automatically or by hand, as apt-mark does.',
  description:
    'MARK is auto, manual, hold or unhold with packages, or showauto, showmanual or\n' +
    'showhold to list them. What is marked auto goes with vmpkg autoremove once\n' +
    'nothing needs it; what is on hold is neither upgraded nor removed.',
  options: MARK_OPTIONS,
  examples: ['vmpkg mark auto router-uni', 'vmpkg mark manual router-uni', 'vmpkg mark showauto'],
  async run({ args, options, io }) {
    const [word = '', ...names] = args
    const shown = Object.hasOwn(SHOWS, word) ? SHOWS[word] : undefined
    if (shown !== undefined) {
      const all = listMarked(await io.workspace(), shown)
      const marked = names.length === 0 ? all : all.filter((name) => names.includes(name))
      if (io.json) io.printJson('marked', { mark: shown, packages: marked })
      else for (const name of marked) io.print(name)
      return marked.length > 0 ? 0 : 1
    }
    const mark = MARKS.find((one) => one === word)
    if (mark === undefined || names.length === 0) {
      throw new VmpkgError(
        'USAGE',
        `mark takes a mark and packages, not ${JSON.stringify(args.join(' ').slice(0, 60))}`,
        {
          hint: `Marks are ${MARKS.join(', ')}; ${Object.keys(SHOWS).join(', ')} list packages.`,
        },
      )
    }
    return runMark(io, mark, names, options)
  },
}
