import { VmpkgError } from '../../errors.ts'
import { parseEvery, setSchedule } from '../../operations/snapshot-schedule.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatEvery, formatRetention, RETENTION_OPTIONS, retentionOf } from '../snapshot-options.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Take snapshots of a machine again and again, and keep so many.',
  description:
    'The supervisor takes them (vmpkg supervise; a private host has one). A machine\n' +
    'that is off has one more only when its disk has changed. Snapshots that you made\n' +
    'are never deleted. The schedule is in the machine\u2019s metadata in libvirt.',
  options: [
    { flags: '--every <time>', summary: '15m, 1h, 1d, 1w' },
    ...RETENTION_OPTIONS,
    { flags: '--quiesce', summary: 'the guest agent holds the file systems meanwhile' },
  ],
  examples: [
    'vmpkg snapshot schedule set demo --every 1h --keep 24',
    'vmpkg snapshot schedule set demo --every 15m --keep 8 --keep-daily 7',
  ],
  async run({ args: [machine = ''], options, io }) {
    const every = optionText(options, 'every')
    const retention = retentionOf(options)
    if (every === undefined || retention === undefined) {
      throw new VmpkgError('USAGE', 'A schedule needs --every and --keep', {
        hint: `vmpkg snapshot schedule set ${machine} --every 1h --keep 24`,
      })
    }
    const schedule = { everySeconds: parseEvery(every), ...retention, quiesce: options['quiesce'] === true }
    await setSchedule(await io.workspace({ write: true }), machine, schedule)
    if (io.json) io.printJson('snapshot-schedule-set', { machine, ...schedule })
    else io.print(`${machine}: every ${formatEvery(schedule.everySeconds)}, keeping ${formatRetention(schedule)}`)
    return 0
  },
}
