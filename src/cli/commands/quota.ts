import { setQuota, showQuota } from '../../operations/quota.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '[size]',
  summary: 'Show or set how much disk images and archives may take; none takes the limit away.',
  description:
    'Former versions are kept for vmpkg history undo. Where the store takes more than\n' +
    'the quota after a change of what is installed, the oldest of them go. What is in\n' +
    'use never goes.',
  options: [],
  examples: ['vmpkg quota', 'vmpkg quota 20GiB', 'vmpkg quota none'],
  async run({ args: [size], io }) {
    const workspace = await io.workspace()
    if (size !== undefined) await setQuota(workspace, size)
    const quota = await showQuota(workspace)
    if (io.json) io.printJson('quota', { ...quota })
    else {
      io.print(`Quota: ${quota.quotaBytes === null ? 'none' : formatBytes(quota.quotaBytes)}`)
      io.print(`Images and archives take ${formatBytes(quota.storeBytes)}`)
    }
    return 0
  },
}
