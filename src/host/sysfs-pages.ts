/** The huge page pools of this host, in sysfs. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { type HostRoots, readInteger } from './kernel-files.ts'
import type { PagePlace, PagePools } from './reserve-pages.ts'

/** @param write for tests: a kernel answers a write by changing other files too */
export function sysfsPages({ sysfs, procfs }: HostRoots, write: WriteFile = writeKernelFile): PagePools {
  const folder = ({ node, sizeKib }: PagePlace): string =>
    node === undefined
      ? join(sysfs, 'kernel', 'mm', 'hugepages', `hugepages-${sizeKib}kB`)
      : join(sysfs, 'devices', 'system', 'node', `node${node}`, 'hugepages', `hugepages-${sizeKib}kB`)
  return {
    async read(place) {
      const [total, free] = ['nr_hugepages', 'free_hugepages'].map((name) => readInteger(join(folder(place), name)))
      if (total !== undefined && free !== undefined) return { total, free }
      throw new VmpkgError('HUGEPAGES_MISSING', `This host has no huge page pool ${folder(place)}`)
    },
    async resize(place, total) {
      await write(join(folder(place), 'nr_hugepages'), `${total}\n`).catch(refuse)
    },
    async compact({ node }, { dropCaches }) {
      // 1 lets go of the page cache only; dentries and inodes hold little.
      if (dropCaches) await write(join(procfs, 'sys', 'vm', 'drop_caches'), '1\n').catch(refuse)
      const path =
        node === undefined
          ? join(procfs, 'sys', 'vm', 'compact_memory')
          : join(sysfs, 'devices', 'system', 'node', `node${node}`, 'compact')
      // Kernels without CONFIG_COMPACTION have neither.
      await write(path, '1\n').catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') refuse(error)
      })
    },
  }
}

type WriteFile = (path: string, text: string) => Promise<void>

/** Never makes a file: sysfs has those it has. */
async function writeKernelFile(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'r+' })
}

function refuse(cause: unknown): never {
  const code = systemErrorCode(cause)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    throw new VmpkgError('NO_RIGHTS', 'Only root may change how many huge pages the host has', {
      hint: 'Run it with sudo, on the host itself and not in a container.',
      cause,
    })
  }
  throw cause
}
