/**
 * A file system of its own for the state of a host, in a file that can be read raw, with a tmpfs for what must be in memory.
 * A power cut keeps the file and takes the tmpfs.
 */
import { execFileSync } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Volume {
  /** For `VMPKG_ROOT`. */
  readonly root: string
  /** True where the bytes stand anywhere in the file system, in free blocks too. */
  holds(bytes: Buffer): Promise<boolean>
  /** How much has been written to it since it was made. */
  writtenBytes(): Promise<number>
  /** What it takes of the disk below, once everything is written and what is free was given back where the mount does that. */
  allocatedBytes(): Promise<number>
  /** Mounted anew with these options, such as `discard`. */
  remount(options: string): void
  /** Gives all free blocks back. */
  trim(): void
  /** What was in memory is gone. */
  loseMemory(): Promise<void>
  close(): Promise<void>
}

/** Why there can be none here; `false` where there can. */
export function volumeMissing(): string | false {
  if (process.getuid?.() !== 0) return 'only root mounts file systems'
  return existsSync('/dev/loop-control') ? false : 'this kernel has no loop devices'
}

/** Free blocks stay with the file until `trim`, or where it is mounted with `discard`. */
export async function makeVolume(sizeMib = 192): Promise<Volume> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-volume-'))
  const [file, root] = [join(folder, 'volume.img'), join(folder, 'root')]
  const memory = join(root, 'run')
  const run = (program: string, ...words: readonly string[]) =>
    execFileSync(program, words, { stdio: 'pipe' }).toString()
  const unmount = (path: string): void => {
    try {
      run('umount', path)
    } catch {
      run('umount', '-l', path) // somebody who was killed is not quite gone
    }
  }
  await writeFile(file, '')
  await truncate(file, sizeMib * 2 ** 20)
  await mkdir(root)
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', file)
  run('mount', '-o', 'loop', file, root)
  await mkdir(memory)
  run('mount', '-t', 'tmpfs', '-o', 'size=256M,mode=0755', 'vmpkg-test', memory)
  const device = run('findmnt', '-n', '-o', 'SOURCE', root).trim().replace('/dev/', '')
  return {
    root,
    async holds(bytes) {
      run('sync', '-f', root)
      let rest = Buffer.alloc(0)
      for await (const piece of createReadStream(file, { highWaterMark: 4 * 2 ** 20 })) {
        const both = Buffer.concat([rest, piece as Buffer])
        if (both.includes(bytes)) return true
        rest = both.subarray(-bytes.length)
      }
      return false
    },
    async writtenBytes() {
      run('sync', '-f', root)
      const fields = (await readFile(`/sys/block/${device}/stat`, 'utf8')).trim().split(/\s+/)
      return Number(fields[6]) * 512
    },
    async allocatedBytes() {
      run('sync', '-f', root)
      run('sync', '-f', file)
      return (await stat(file)).blocks * 512
    },
    remount: (options) => void run('mount', '-o', `remount,${options}`, root),
    trim: () => void run('/usr/sbin/fstrim', root),
    async loseMemory() {
      unmount(memory)
      run('mount', '-t', 'tmpfs', '-o', 'size=256M,mode=0755', 'vmpkg-test', memory)
    },
    async close() {
      unmount(memory)
      unmount(root)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
