/** Whether the rules of the gate have a verdict of their own on a path of a schema, in any of their cases. */
import type { Rule } from '../../src/render/policy.ts'

export type PathVerdict = 'named' | 'never' | 'missing'

/** @param path as `rngPaths` gives it, without the root's own name */
export function findPathVerdict(root: Rule, path: string): PathVerdict {
  let rules: readonly Rule[] = [root]
  for (const part of path.split('/').slice(1)) {
    const cases = rules.flatMap(withCases)
    if (part.startsWith('@')) {
      const name = part.slice(1)
      const isNamed = cases.some((one) => Object.hasOwn(one.attributes ?? {}, name) || one.variants?.by === name)
      return isNamed ? 'named' : 'missing'
    }
    rules = cases.flatMap((one) => {
      const found = Object.hasOwn(one.children ?? {}, part) ? one.children?.[part] : undefined
      return found === undefined ? [] : [typeof found === 'function' ? found() : found]
    })
    if (rules.length === 0) return 'missing'
    // An element that may never stand stands for all that is in it.
    if (rules.some((one) => one.never !== undefined)) return 'never'
  }
  return 'named'
}

function withCases(one: Rule): readonly Rule[] {
  return [one, ...Object.values(one.variants?.cases ?? {}).flatMap(withCases)]
}
