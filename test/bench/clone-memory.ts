/**
 * What a running clone holds of the host's memory, with the base that all clones share and with a copy of the disk for each:
 * the part of the process that is its own, and the pages of its disk in the page cache once everything on it has been read.
 * In a private host; guests without a system, whose disks are read by qemu-io in their place. `fincore` is of util-linux.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { noise } from '../support/disk-image.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp } from '../support/tiny-packages.ts'
import { formatTable, type Report, runProgram } from './measure.ts'

const APP = 'app-bench'
const MIB = 1024 ** 2
const DISK_BYTES = 256 * MIB
const COUNT = 8

export async function measureCloneMemory(): Promise<Report> {
  const plain = tinyApp(APP, { image: noise(APP, DISK_BYTES) })
  const manifest = (plain.manifest ?? '').replace(/^capabilities:.*\n/m, '')
  const site = await makeSite('bench', [{ ...plain, manifest }])
  try {
    await site.cli.ok(['install', '-y', APP])
    await site.cli.ok(['clone', APP, '--name', 'made', '--count', `${COUNT}`])
    return await measure(site)
  } finally {
    await site.close()
  }
}

async function measure(site: Site): Promise<Report> {
  const overlays: string[] = []
  const processes: number[] = []
  for (let number = 1; number <= COUNT; number++) {
    const xml = await site.virsh('dumpxml', '--inactive', `made-${number}`)
    overlays.push(/<source file='([^']+\.qcow2)'/.exec(xml)?.[1] ?? '')
    processes.push(ownBytes(/<uuid>([^<]+)/.exec(xml)?.[1] ?? '?'))
  }
  const base = /backing file: (\S+)/.exec(runProgram('qemu-img', ['info', '-U', overlays[0] ?? '']))?.[1] ?? ''
  const copies = overlays.map((_, index) => join(site.cli.folder, `copy-${index}.raw`))
  for (const copy of copies) runProgram('cp', ['--reflink=never', base, copy])
  runProgram('sync', ['-f', base])
  const shared = cachedBytes(overlays, 'qcow2', [base, ...overlays])
  const copied = cachedBytes(copies, 'raw', copies)
  const own = processes.reduce((sum, one) => sum + one, 0) / COUNT
  const inMib = (bytes: number): string => (bytes / MIB).toFixed(1)
  const row = (what: string, cached: number): readonly string[] => [
    what,
    inMib(own),
    inMib(cached / COUNT),
    inMib(own + cached / COUNT),
  ]
  return {
    title: 'Memory of a clone',
    about:
      `${COUNT} machines at once, each with a disk of ${DISK_BYTES / MIB} MiB of which everything was read. The process is QEMU’s ` +
      'proportional share (Pss) with its guest not booted, so what the guest itself takes comes on top, up to its memory, in both rows alike.',
    table: formatTable(
      ['MiB for each machine', 'process', 'its disk in the page cache', 'in all'],
      [row('overlays on one base', shared), row('a copy of the disk for each', copied)],
    ),
  }
}

/** Of the QEMU with that UUID on its command line. */
function ownBytes(uuid: string): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!readOr(`/proc/${pid}/cmdline`).includes(uuid)) continue
    const pss = /^Pss:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/smaps_rollup`))?.[1]
    if (pss !== undefined && readOr(`/proc/${pid}/comm`).startsWith('qemu-system')) return Number(pss) * 1024
  }
  throw new Error(`no process of ${uuid}`)
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}

/** After each disk was read from its beginning to its end; nothing of the files was in memory before. */
function cachedBytes(disks: readonly string[], format: string, files: readonly string[]): number {
  for (const file of files) runProgram('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'])
  for (const disk of disks) runProgram('qemu-io', ['-r', '-U', '-f', format, '-c', `read -q 0 ${DISK_BYTES}`, disk])
  const told = runProgram('fincore', ['--bytes', '--noheadings', '--raw', '--output', 'RES', ...files])
  return told
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
}
