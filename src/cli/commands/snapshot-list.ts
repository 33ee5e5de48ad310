import { listSnapshotRows, type SnapshotRow } from '../../operations/snapshot-list.ts'
import type { CommandSpec } from '../command.ts'
import { formatLocal } from '../file-options.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '[machine]',
  summary: 'List the snapshots of a machine, or of all, whoever made them.',
  description:
    'The machine goes on from the one that is marked *. SIZE is what the files of a\n' +
    'snapshot take on the disk of the host.',
  options: [{ flags: '--tree', summary: 'which one follows from which' }],
  examples: ['vmpkg snapshot list', 'vmpkg snapshot list demo --tree', 'vmpkg snapshot list demo --json'],
  async run({ args: [machine], options, io }) {
    const rows = await listSnapshotRows(await io.workspace(), machine)
    if (io.json) {
      io.printJson('snapshot-list', { snapshots: rows.map(snapshotJson) })
      return 0
    }
    if (rows.length === 0) io.note(machine === undefined ? 'There are no snapshots.' : `${machine} has no snapshots.`)
    else if (options['tree'] === true) io.print(formatSnapshotTrees(rows))
    else {
      const own = machine === undefined ? (row: SnapshotRow) => [row.machine] : () => []
      io.printTable(
        [...(machine === undefined ? ['MACHINE'] : []), 'NAME', 'TIME', 'SIZE', 'CONTENT', 'PARENT'],
        rows.map((row) => [
          ...own(row),
          `${row.name}${row.current ? ' *' : ''}`,
          formatLocal(row.time),
          row.bytes === undefined ? '-' : formatBytes(row.bytes),
          row.content,
          row.parent ?? '-',
        ]),
      )
    }
    return 0
  },
}

export function snapshotJson({ time, ...row }: SnapshotRow): Readonly<Record<string, unknown>> {
  return { ...row, time: time.toISOString() }
}

function formatSnapshotTrees(rows: readonly SnapshotRow[]): string {
  const machines = [...new Set(rows.map(({ machine }) => machine))]
  return machines
    .flatMap((machine) => {
      const own = rows.filter((row) => row.machine === machine)
      const names = new Set(own.map(({ name }) => name))
      const roots = own.filter(({ parent }) => parent === undefined || !names.has(parent))
      return [machine, ...formatBranches(own, roots, '')]
    })
    .join('\n')
}

function formatBranches(rows: readonly SnapshotRow[], branches: readonly SnapshotRow[], indent: string): string[] {
  return branches.flatMap((row, i) => {
    const isLast = i === branches.length - 1
    const below = rows.filter(({ parent, name }) => parent === row.name && name !== row.name)
    const mark = row.current ? ' *' : ''
    return [
      `${indent}${isLast ? '└─ ' : '├─ '}${row.name}${mark}  ${formatLocal(row.time)}, ${row.content}`,
      ...formatBranches(rows, below, `${indent}${isLast ? '   ' : '│  '}`),
    ]
  })
}
