/**
 * What a partition holds, by the magic numbers at its beginning. Pure; the bytes are hostile, and a wrong answer only
 * chooses the reader that then refuses it.
 *
 * Source: the magic tables of util-linux libblkid. Test oracle: mkfs of each.
 */
import type { Filesystem } from './entry.ts'

/** What is known but not read, by the name that a person knows. */
type Unsupported = 'LUKS' | 'LVM' | 'RAID' | 'swap' | 'squashfs' | 'erofs' | 'ISO 9660' | 'f2fs' | 'exFAT'

export type Signature =
  | { readonly filesystem: Filesystem }
  | { readonly unsupported: Unsupported }
  | { readonly unknown: true }

/** Bytes from the start of a partition that `identify` looks at. */
export const SIGNATURE_BYTES = 68 * 1024

const READ: readonly (readonly [number, string, Filesystem])[] = [
  [0, 'XFSB', 'xfs'],
  [65_600, '_BHRfS_M', 'btrfs'],
  [3, 'NTFS    ', 'ntfs'],
  [1080, '\x53\xef', 'ext'],
  [82, 'FAT32   ', 'fat'],
  [54, 'FAT16   ', 'fat'],
  [54, 'FAT12   ', 'fat'],
]

const NOT_READ: readonly (readonly [number, string, Unsupported])[] = [
  [0, 'LUKS\xba\xbe', 'LUKS'],
  [536, 'LVM2 001', 'LVM'],
  [4096, '\xfc\x4e\x2b\xa9', 'RAID'],
  [4086, 'SWAPSPACE2', 'swap'],
  [0, 'hsqs', 'squashfs'],
  [1024, '\xe2\xe1\xf5\xe0', 'erofs'],
  [32_769, 'CD001', 'ISO 9660'],
  [1024, '\x10\x20\xf5\xf2', 'f2fs'],
  [3, 'EXFAT   ', 'exFAT'],
]

export function identify(head: Buffer): Signature {
  const has = (at: number, magic: string): boolean => head.toString('latin1', at, at + magic.length) === magic
  const other = NOT_READ.find(([at, magic]) => has(at, magic))
  if (other !== undefined) return { unsupported: other[2] }
  const found = READ.find(([at, magic]) => has(at, magic))
  return found === undefined ? { unknown: true } : { filesystem: found[2] }
}
