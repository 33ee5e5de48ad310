/**
 * One thing taken out of a router at a time: each rule of the rendered file, each policy, each setting of the boot script.
 * Made from the files themselves, so a new line is a new mutant.
 *
 * Some lines stand behind others: what one lets through the other stops. Such a line is asked for where the others are
 * out: with them gone it must still hold, and without it, it must not. `behind` names the others.
 */
import type { Change, RouterFiles } from './router-files.ts'

export interface Mutant {
  /** The line. */
  readonly name: string
  readonly change: Change
  /** Changes that leave this line to itself; none where it is the only one. */
  readonly behind: readonly Change[]
}

export interface Depth {
  /** Text of the line that stands behind others. */
  readonly line: string
  readonly behind: readonly Change[]
}

const RULES = 'nftables.nft'
const BOOT = 'usr/lib/vmpkg/boot'

export function listMutants(files: RouterFiles, depths: readonly Depth[]): readonly Mutant[] {
  const rules = files.medium[RULES] ?? ''
  const [boot = ''] = files.image[BOOT] ?? []
  const used = new Set<Depth>()
  const mutant = (name: string, change: Change): Mutant => {
    const found = depths.filter(({ line }) => name === line)
    for (const one of found) used.add(one)
    return { name, change, behind: found.flatMap(({ behind }) => behind) }
  }
  const all = [...ruleMutants(rules, mutant), ...settingMutants(boot, mutant)]
  for (const depth of depths) if (!used.has(depth)) throw new Error(`no line is ${JSON.stringify(depth.line)}`)
  return all
}

type Make = (name: string, change: Change) => Mutant

function ruleMutants(rules: string, mutant: Make): readonly Mutant[] {
  const found: Mutant[] = []
  let chain = ''
  let before = ''
  for (const line of rules.split('\n')) {
    const text = line.trim()
    chain = /^chain (\S+)/.exec(text)?.[1] ?? chain
    if (/^(flush )?table inet vmpkg$/.test(text)) {
      found.push(mutant(text, { file: RULES, find: `${before}${line}\n`, replace: before }))
    } else if (text.startsWith('type ')) {
      if (text.includes('policy drop'))
        found.push(
          mutant(`${chain}: ${text}`, {
            file: RULES,
            find: line,
            replace: line.replace('policy drop', 'policy accept'),
          }),
        )
    } else if (text !== '' && !/^(#|chain|set|table|\})/.test(text)) {
      // By its place in the chain: the same words may stand in another.
      const head = before.slice(before.lastIndexOf('chain '))
      found.push(mutant(`${chain}: ${text}`, { file: RULES, find: `${head}${line}\n`, replace: head }))
    }
    before += `${line}\n`
  }
  return found
}

function settingMutants(boot: string, mutant: Make): readonly Mutant[] {
  const lines = boot.split('\n').filter((line) => /^\s+setting net\//.test(line))
  return lines.map((line) =>
    mutant(line.trim(), { file: BOOT, find: `${line}\n`, replace: `${line.replace('setting', ': setting')}\n` }),
  )
}
