/** A topology as an indented tree, as tree(1) and lsblk(8) draw one. */
import { describeBranch } from './graph-words.ts'
import type { Topology } from './topology.ts'
import { type Branch, growTrees } from './topology-tree.ts'

/** One line for each place in the trees; warnings follow a `!`. */
export function renderText(topology: Topology): readonly string[] {
  return growTrees(topology).flatMap((root) => [formatLine(root), ...formatBelow(root, '')])
}

function formatBelow({ branches }: Branch, indent: string): string[] {
  return branches.flatMap((branch, i) => {
    const isLast = i === branches.length - 1
    return [
      `${indent}${isLast ? '└─' : '├─'} ${formatLine(branch)}`,
      ...formatBelow(branch, `${indent}${isLast ? '  ' : '│ '} `),
    ]
  })
}

function formatLine(branch: Branch): string {
  const { title, details, warnings } = describeBranch(branch)
  const said = details.length === 0 ? '' : `  ${details.join(', ')}`
  return `${title}${said}${warnings.length === 0 ? '' : `  ! ${warnings.join(', ')}`}`
}
