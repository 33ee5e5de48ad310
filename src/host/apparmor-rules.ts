/**
 * Whether the file rules of an AppArmor profile let its program read a path. Pure.
 *
 * Source: apparmor.d(5), "Globbing" and "Access Modes": a deny wins over every allow, also one of a local addition.
 */

export type RuleVerdict = 'allowed' | 'denied' | 'not named'

/** As Debian's tunables have them; rules with others name nothing that we ask for. */
const VARIABLES: Readonly<Record<string, string>> = { HOME: '{/home/*,/root}', PROC: '/proc' }

/** @param texts the profile and what it includes; each line may hold a rule such as `audit deny /srv/** rw,` */
export function mayReadByRules(texts: readonly string[], path: string): RuleVerdict {
  const rules = texts.flatMap((text) =>
    [
      ...text.matchAll(
        /^[ \t]*(?:(?:audit|owner)[ \t]+)*(deny[ \t]+)?(?:(?:audit|owner)[ \t]+)*"?([/@][^\s"]*)"?[ \t]+([a-zA-Z]+),/gm,
      ),
    ].map(([, deny, glob = '', modes = '']) => ({ denies: deny !== undefined, glob, reads: modes.includes('r') })),
  )
  const fitting = rules.filter(({ glob, reads }) => reads && toPattern(glob).test(path))
  if (fitting.some(({ denies }) => denies)) return 'denied'
  return fitting.length > 0 ? 'allowed' : 'not named'
}

function toPattern(glob: string): RegExp {
  const whole = glob.replaceAll(/@\{(\w+)\}/g, (word, name: string) => VARIABLES[name] ?? word)
  let pattern = ''
  let depth = 0
  for (const [part] of whole.matchAll(/\*\*|\\.|\[[^\]]*\]|[^]/g)) {
    if (part === '**') pattern += '.*'
    else if (part === '*') pattern += '[^/]*'
    else if (part === '?') pattern += '[^/]'
    else if (part.startsWith('[') && part.length > 1) pattern += part.replace('[^', '[^/')
    else if (part === '{') {
      depth += 1
      pattern += '(?:'
    } else if (part === '}' && depth > 0) {
      depth -= 1
      pattern += ')'
    } else if (part === ',' && depth > 0) pattern += '|'
    else pattern += part.replace(/^\\/, '').replace(/[^\w/]/, '\\$&')
  }
  try {
    return new RegExp(`^${pattern}$`)
  } catch {
    return /(?!)/ // not a glob: apparmor_parser refuses it too
  }
}
