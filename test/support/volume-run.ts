/**
 * Runs a script of this project where a folder is a file system of its own, in a mount namespace that ends with it: nothing of
 * it is seen from outside, and nothing is left.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface VolumeRun {
  /** An existing folder for the volume; it is seen at `volume/` in it. */
  readonly folder: string
  readonly fs: 'xfs' | 'btrfs' | 'ext4'
  readonly script: string
  readonly args: readonly string[]
}

/** Why there can be none of that kind here; `false` where there can. */
export function volumeRunMissing(fs: VolumeRun['fs']): string | false {
  if (process.getuid?.() !== 0) return 'only root mounts file systems'
  if (!existsSync('/dev/loop-control')) return 'this kernel has no loop devices'
  return existsSync(`/usr/sbin/mkfs.${fs}`) || existsSync(`/sbin/mkfs.${fs}`) ? false : `mkfs.${fs} is not installed`
}

/** What mkfs.xfs takes at least; the file is sparse. */
const VOLUME_BYTES = 320 * 2 ** 20

/** Standard output of `node SCRIPT VOLUME ARGS…`; fails with the words of whatever failed. */
export async function runOnVolume({ folder, fs, script, args }: VolumeRun): Promise<string> {
  const [file, place] = [join(folder, `${fs}.img`), join(folder, 'volume')]
  await mkdir(place, { recursive: true })
  {
    await using image = await open(file, 'w')
    await image.truncate(VOLUME_BYTES)
  }
  await promisify(execFile)(`mkfs.${fs}`, ['-q', file])
  const inside = 'mount -o loop "$1" "$2" && shift 2 && exec "$@"'
  const words = ['--mount', 'sh', '-c', inside, 'sh', file, place, process.execPath, script, place, ...args]
  const { stdout } = await promisify(execFile)('unshare', words)
  return stdout
}
