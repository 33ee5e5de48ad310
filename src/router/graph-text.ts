/** A topology as an indented tree, as tree(1) and lsblk(8) draw one. */
import { describeBranch } from './graph-words.ts'
import type { Topology } from './topology.ts'
import { type Branch, growTrees } from './topology-tree.ts'

export interface TreeLine {
  /** What stands before the text. */
  readonly lead: string
  /** The same for a further line, where the text does not fit into one. */
  readonly hang: string
  readonly text: string
}

/** One for each place in the trees; warnings follow a `!`. */
export function renderText(topology: Topology): readonly TreeLine[] {
  return growTrees(topology).flatMap((root) => formatBranch(root, '', ''))
}

function formatBranch(branch: Branch, lead: string, indent: string): TreeLine[] {
  const { branches } = branch
  const below = branches.flatMap((one, i) => {
    const isLast = i === branches.length - 1
    return formatBranch(one, `${indent}${isLast ? '└─ ' : '├─ '}`, `${indent}${isLast ? '   ' : '│  '}`)
  })
  return [{ lead, hang: `${indent}${branches.length === 0 ? '   ' : '│  '}`, text: formatText(branch) }, ...below]
}

function formatText(branch: Branch): string {
  const { title, details, warnings } = describeBranch(branch)
  const said = details.length === 0 ? '' : `  ${details.join(', ')}`
  return `${title}${said}${warnings.length === 0 ? '' : `  ! ${warnings.join(', ')}`}`
}
