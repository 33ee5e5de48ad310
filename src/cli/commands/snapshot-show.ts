import { showSnapshot } from '../../operations/snapshot-list.ts'
import type { CommandSpec } from '../command.ts'
import { formatLocal } from '../file-options.ts'
import { formatBytes } from '../table.ts'
import { snapshotJson } from './snapshot-list.ts'

export const command: CommandSpec = {
  args: '<machine> <name>',
  summary: 'Everything known about a snapshot.',
  options: [{ flags: '--xml', summary: 'print what libvirt has of it' }],
  examples: ['vmpkg snapshot show demo before-upgrade', 'vmpkg snapshot show demo before-upgrade --xml'],
  async run({ args: [machine = '', name = ''], options, io }) {
    const { row, xml } = await showSnapshot(await io.workspace(), { machine, name })
    if (io.json) io.printJson('snapshot-show', { ...snapshotJson(row), ...(options['xml'] === true ? { xml } : {}) })
    else if (options['xml'] === true) io.print(xml.trimEnd())
    else {
      const facts: readonly (readonly [string, string | undefined])[] = [
        ['Machine', row.machine],
        ['Snapshot', row.name],
        ['Description', row.description],
        ['Taken', formatLocal(row.time)],
        ['Machine was', row.state === 'disk-snapshot' ? 'running, its memory is not kept' : row.state],
        ['Content', row.content],
        ['Follows', row.parent ?? 'nothing'],
        ['Current', row.current ? 'yes' : 'no'],
        ['By schedule', row.scheduled ? 'yes' : 'no'],
        ['Size', row.bytes === undefined ? undefined : formatBytes(row.bytes)],
        ...row.disks.map(({ target, file }): readonly [string, string] => [`Disk ${target}`, file]),
      ]
      for (const [title, fact] of facts) if (fact !== undefined) io.print(`${title}: ${fact}`)
    }
    return 0
  },
}
