/**
 * What debugfs prints, read. Names and targets in it are the guest's, so each field is taken from the line that debugfs
 * writes before anything of the guest.
 *
 * Source: e2fsprogs debugfs/debugfs.c (internal_dump_inode, do_list_dir). Test oracle: files made by mke2fs -d.
 */
import type { Entry, Listed } from './entry.ts'

const ENCRYPTED = 0x800
const INLINE_HINT = /^Inode: (\d+) {3}Type: ([A-Za-z ]+?) +Mode: +0?([0-7]+) +Flags: 0x([0-9a-f]+)\n/m
const NOT_FOUND = /File not found by ext2_lookup|is not a directory|File not found/

/** A file without its digest yet. */
export interface ExtFile {
  readonly state: 'file-found'
  readonly size: number
  readonly mode: number
  readonly owner: number
  readonly group: number
  readonly modified: string | undefined
}

/** @param text what `open`, `feature` and `stat` said, errors among it */
export function parseStat(text: string): ExtFile | Exclude<Entry, { state: 'file' }> {
  const [head, , type = '', mode = '', flags = ''] = INLINE_HINT.exec(text) ?? []
  if (head === undefined) {
    if (!text.includes('Filesystem not open') && NOT_FOUND.test(text)) return { state: 'absent' }
    return unreadable(text)
  }
  const [, owner = '0', group = '0', size = '0'] =
    /^User: +(\d+) +Group: +(\d+) .*?Size: +(\d+)$/m.exec(text.slice(text.indexOf(head))) ?? []
  const facts = {
    mode: Number.parseInt(mode, 8) & 0o7777,
    owner: Number(owner),
    group: Number(group),
    ...readTime(text),
  }
  if (type === 'regular') {
    if ((Number.parseInt(flags, 16) & ENCRYPTED) !== 0) {
      return { state: 'unreadable', reason: 'The guest encrypted it, and only the guest has the key' }
    }
    return { state: 'file-found', size: Number(size), modified: undefined, ...facts }
  }
  if (type === 'directory') return { state: 'directory', ...facts }
  if (type === 'symlink') return { state: 'link', target: /^Fast link dest: "([^]*)"\n/m.exec(text)?.[1], ...facts }
  return { state: 'special', kind: type, ...facts }
}

/** The lower 32 bits are signed; the other word has two more bits of seconds and the nanoseconds. */
function readTime(text: string): { modified?: string } {
  const [, low, extra = '0'] = /^ ?mtime: 0x([0-9a-f]{8})(?::([0-9a-f]{8}))? -- /m.exec(text) ?? []
  if (low === undefined) return {}
  const word = Number.parseInt(extra, 16)
  const seconds = (Number.parseInt(low, 16) | 0) + (word & 3) * 2 ** 32
  return { modified: formatTime(seconds, word >>> 2) }
}

/** ISO 8601, UTC. */
function formatTime(seconds: number, nanoseconds: number): string {
  const date = new Date(seconds * 1000)
  const text = Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00' : date.toISOString().slice(0, -5)
  return `${text}.${String(Math.min(nanoseconds, 999_999_999)).padStart(9, '0')}Z`
}

/** The first complaint, without the echo of our own command. */
function unreadable(text: string): Entry & { state: 'unreadable' } {
  const line = text
    .split('\n')
    .find((one) => one !== '' && !/^debugfs[: ]/.test(one) && !one.startsWith('Filesystem features:'))
  return { state: 'unreadable', reason: (line ?? 'debugfs says nothing about it').slice(0, 200) }
}

/** `ls -p`: `/inode/mode/owner/group/name/size/`; a name has no slash. */
export function parseListing(text: string): readonly Listed[] {
  return [...text.matchAll(/^\/(\d+)\/(\d{6})\/\d+\/\d+\/([^/]{1,255})\/(\d*)\/$/gm)].flatMap(
    ([, inode, mode = '', name = '', size = '']) => {
      if (inode === '0' || name === '.' || name === '..') return []
      const state = STATES[mode.slice(0, 2)] ?? 'special'
      return [{ name, state, ...(state === 'file' && size !== '' ? { size: Number(size) } : {}) }]
    },
  )
}

const STATES: Readonly<Record<string, Listed['state']>> = { '10': 'file', '04': 'directory', '12': 'link' }
