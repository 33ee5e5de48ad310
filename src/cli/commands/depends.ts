import { depends, type RelationNode } from '../../operations/relations.ts'
import type { CommandSpec, Io } from '../command.ts'

const KINDS = {
  depends: 'Depends',
  recommends: 'Recommends',
  provides: 'Provides',
  conflicts: 'Conflicts',
  replaces: 'Replaces',
} as const

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Show what a package depends on: the installed version, else the candidate.',
  options: [{ flags: '--recursive', summary: 'and what those depend on, as a tree' }],
  examples: ['vmpkg depends router-gal', 'vmpkg depends router-gal --recursive'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const result = depends(await io.workspace(), name, { recursive: options['recursive'] === true })
    if (io.json) {
      io.printJson('depends', { ...result })
      return 0
    }
    io.print(`${result.name} ${result.version}${result.isInstalled ? ' (installed)' : ''}`)
    if (options['recursive'] === true) printTree(io, result.relations, '')
    else for (const node of result.relations) io.print(`  ${KINDS[node.kind]}: ${node.relation}${fulfilledBy(node)}`)
    return 0
  },
}

function printTree(io: Io, nodes: readonly RelationNode[], indent: string): void {
  for (const [at, node] of nodes.entries()) {
    const isLast = at === nodes.length - 1
    io.print(
      `${indent}${isLast ? '└─' : '├─'} ${node.relation}${fulfilledBy(node)}${node.isRepeated ? ' (see above)' : ''}`,
    )
    printTree(io, node.needs, `${indent}${isLast ? '   ' : '│  '}`)
  }
}

function fulfilledBy({ kind, relation, by }: RelationNode): string {
  if (by === undefined) return kind === 'depends' ? ': nothing fulfils it' : ''
  const version = `${by.version}${by.isInstalled ? ' (installed)' : ''}`
  return relation === by.name ? ` ${version}` : `: ${by.name} ${version}`
}
