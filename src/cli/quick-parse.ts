/**
 * Parses well-formed arguments without commander, which takes most of Node's own start to load. Whatever is not plainly
 * right gives `undefined`, and commander explains it. Test oracle: commander, for every command and random arguments.
 */
import { COMMON_OPTIONS, type CommandSpec, type OptionValues, optionList } from './command.ts'

export interface Parsed {
  readonly args: readonly string[]
  readonly options: OptionValues
}

interface Option {
  readonly key: string
  readonly takesValue: boolean
  readonly isRepeatable: boolean
  /** `--no-KEY`: true unless given. */
  readonly isNegated: boolean
}

export function parseQuickly(spec: CommandSpec, argv: readonly string[]): Parsed | undefined {
  const known = readOptions(spec.options)
  const options: Record<string, string | boolean | readonly string[]> = {}
  for (const { key, isNegated } of known.values()) if (isNegated) options[key] = true
  const args: string[] = []
  const words = argv.values()
  for (const word of words) {
    if (word === '--') args.push(...words)
    else if (!word.startsWith('-') || word === '-') args.push(word)
    else {
      const equals = word.startsWith('--') ? word.indexOf('=') : -1
      const option = known.get(equals === -1 ? word : word.slice(0, equals))
      if (option === undefined || (equals !== -1 && !option.takesValue)) return undefined
      if (!option.takesValue) {
        options[option.key] = !option.isNegated
        continue
      }
      const value = equals === -1 ? words.next().value : word.slice(equals + 1)
      if (value === undefined || value === '') return undefined
      options[option.key] = option.isRepeatable ? [...optionList(options, option.key), value] : value
    }
  }
  return fits(spec.args, args.length) ? { args, options } : undefined
}

/**
 * Options that every command takes may stand before the command, as with `apt-get -y install` and `virsh -c URI list`: puts
 * them behind it, in front of its other options. Anything else stays, and is no command.
 */
export function moveLeadingOptions(argv: readonly string[]): readonly string[] {
  const known = readOptions([])
  let count = 0
  for (let word = argv[0]; word?.startsWith('-') === true; word = argv[count]) {
    const equals = word.startsWith('--') ? word.indexOf('=') : -1
    const option = known.get(equals === -1 ? word : word.slice(0, equals))
    if (option === undefined) break
    count += option.takesValue && equals === -1 ? 2 : 1
  }
  const rest = argv.slice(count)
  const words = rest.findIndex((word) => word.startsWith('-'))
  const end = words === -1 ? rest.length : words
  return [...rest.slice(0, end), ...argv.slice(0, count), ...rest.slice(end)]
}

/** By every spelling: `-n` and `--name` lead to the same. */
function readOptions(options: CommandSpec['options']): ReadonlyMap<string, Option> {
  const known = new Map<string, Option>()
  for (const { flags } of [...options, ...COMMON_OPTIONS]) {
    const spellings = flags.match(/(?<![^ ,])--?[a-z][a-z-]*/g) ?? []
    const name = spellings.at(-1)?.slice(2) ?? ''
    const isNegated = name.startsWith('no-')
    const key = (isNegated ? name.slice(3) : name).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const option = { key, takesValue: flags.includes('<'), isRepeatable: flags.endsWith('...'), isNegated }
    for (const spelling of spellings) known.set(spelling, option)
  }
  return known
}

function fits(notation: string, count: number): boolean {
  const required = notation.split('<').length - 1
  const most = notation.endsWith('...>') || notation.endsWith('...]') ? Infinity : notation.split(' ').length
  return count >= required && count <= (notation === '' ? 0 : most)
}
