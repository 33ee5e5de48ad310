/** Command lines for a person to copy into a shell. */
import type { OptionSpec, OptionValues } from './command.ts'

/** `vmpkg VERB …` with the same arguments and options. @param specs of the verb, to know those that say `--no-` */
export function formatCommand(
  verb: string,
  args: readonly string[],
  options: OptionValues,
  specs: readonly OptionSpec[] = [],
): string {
  const words = Object.entries(options).flatMap(([name, value]): readonly string[] => {
    const word = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const flag = `--${word}`
    if (value === undefined) return []
    if (typeof value === 'boolean') {
      const isNegatable = specs.some(({ flags }) => flags === `--no-${word}`)
      if (value === isNegatable) return []
      return [value ? flag : `--no-${word}`]
    }
    return (typeof value === 'string' ? [value] : value).flatMap((one) => [flag, one])
  })
  return ['vmpkg', verb, ...args, ...words].map(shellWord).join(' ')
}

/** Quoted where a shell would take it apart. Source: POSIX, Shell Command Language, 2.2. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
