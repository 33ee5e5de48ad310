/** What the commands that read files of machines have in common. */
import type { PointInTime } from '../domain/points.ts'
import type { Entry } from '../filesystem/entry.ts'
import { parseSize } from '../model/size.ts'
import { DEFAULT_MAX_SIZE } from '../operations/file-reading.ts'
import { type OptionSpec, type OptionValues, optionNumber, optionText } from './command.ts'

export const DISK_OPTIONS: readonly OptionSpec[] = [
  { flags: '--disk <name>', summary: 'look at this disk only (vda)' },
  { flags: '--partition <number>', summary: 'look at this partition only' },
  { flags: '--live', summary: 'read the disk of a running machine too, as after a power cut at best' },
]

export const SIZE_OPTION: OptionSpec = {
  flags: '--max-size <size>',
  summary: 'read no file that is larger (default 1GiB)',
}

export const AT_OPTION: OptionSpec = {
  flags: '--at <when>',
  summary: 'a snapshot, a time, or how long ago: 2026-05-01T12:00, 2h, 3d (default: the newest point)',
}

/** Of `args`: the machine and the path. */
export function fileRequest(
  [machine = '', path = '']: readonly string[],
  options: OptionValues,
): {
  machine: string
  path: string
  disk: string | undefined
  partition: number | undefined
  live: boolean
  maxSize: number
} {
  const size = optionText(options, 'maxSize')
  return {
    machine,
    path,
    disk: optionText(options, 'disk'),
    partition: optionNumber(options, 'partition', 0),
    live: options['live'] === true,
    maxSize: size === undefined ? DEFAULT_MAX_SIZE : parseSize(size),
  }
}

/** `2026-05-01 12:00:00`, local time. */
export function formatLocal(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

export function pointJson({ name, kind, time, doubt }: PointInTime): Readonly<Record<string, unknown>> {
  return { name, kind, time: time.toISOString(), ...(doubt === undefined ? {} : { doubt }) }
}

/** What a table has of an entry: size, permissions, what it is. */
export function describeEntry(entry: Entry): readonly [size: string, mode: string, what: string] {
  if (entry.state === 'absent') return ['-', '-', 'not there']
  if (entry.state === 'unreadable') return ['-', '-', `unreadable: ${entry.reason}`]
  const mode = entry.mode === undefined ? '-' : `0${entry.mode.toString(8).padStart(3, '0')}`
  if (entry.state === 'file') return [String(entry.size), mode, entry.sha256.slice(0, 16)]
  if (entry.state === 'link') return ['-', mode, `link to ${entry.target ?? 'somewhere'}`]
  return ['-', mode, entry.state === 'directory' ? 'folder' : entry.kind]
}
