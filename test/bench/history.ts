/**
 * Every version of a file over 100 snapshots: with a reader that runs, with one that is started for it, and as a script
 * would do it, with a process for each snapshot.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FoundTable, findPartitions, placeOf } from '../../src/filesystem/partitions.ts'
import { Readers } from '../../src/filesystem/readers.ts'
import { type Layer, Sandbox } from '../../src/filesystem/sandbox.ts'
import { formatOverlay } from '../../src/image/qcow2-overlay.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { type DiskKind, editExt, makeChain, makeFilesystem } from '../support/guest-disk.ts'
import { formatRows, interleave, type Report, runProgram } from './measure.ts'

const SNAPSHOTS = 100
const MEBIBYTES = 48
const ROUNDS = 3
/** The script takes minutes over all of them. */
const EVERY = 10
const PATH = '/notes.txt'

/** What one would write by hand: an export of one snapshot, a look into it, and away with it. */
const SCRIPT = `
set -e
folder=$1 disk=$2
mount -n -t tmpfs tmpfs "$folder"
: >"$folder/export"
qemu-storage-daemon --blockdev "driver=qcow2,node-name=disk,read-only=on,file.driver=file,file.filename=$disk" \\
  --export "type=fuse,id=export,node-name=disk,mountpoint=$folder/export" --daemonize --pidfile "$folder/pid"
debugfs -c -R 'cat ${PATH}' "$folder/export" 2>/dev/null | sha256sum
kill "$(cat "$folder/pid")"
while [ -e "/proc/$(cat "$folder/pid" 2>/dev/null || echo none)" ]; do sleep 0.01; done
`

export async function measureHistory(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const ext = await makeSnapshots(folder, 'ext')
    const other = await makeSnapshots(folder, 'fat')
    await using warm = await openAll(folder, ext)
    const names = ext.filter((_, index) => index % EVERY === 0)
    const stage = await mkdtemp(join(folder, 'stage-'))
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
    const timings = await interleave(ROUNDS, {
      warm: async () => count(await warm.look(), SNAPSHOTS / 5 + 1),
      cold: async () => {
        await using cold = await openAll(folder, ext)
        count(await cold.look(), SNAPSHOTS / 5 + 1)
      },
      other: async () => {
        await using cold = await openAll(folder, other)
        count(await cold.look(), 1)
      },
      script: () => {
        const began = performance.now()
        for (const disk of names) {
          runProgram('unshare', [...user, '--mount', '--', 'sh', '-c', SCRIPT, 'script', stage, disk])
        }
        return (performance.now() - began) * (ext.length / names.length)
      },
    })
    const peer = { name: 'a storage daemon and a debugfs for each snapshot', milliseconds: timings.script }
    return {
      title: `History of a file over ${SNAPSHOTS} snapshots`,
      about:
        `A chain of ${SNAPSHOTS + 1} qcow2 files, a file changed in every fifth; ${ROUNDS} rounds. Of the script every ` +
        `${EVERY}th snapshot is measured and the time multiplied. The goal for a warm reader of ext4 is 1 s.`,
      table: formatRows([
        { what: 'reader runs (ext4)', milliseconds: timings.warm, peer, goal: 0.1 },
        { what: 'reader is started for it (ext4)', milliseconds: timings.cold, peer },
        { what: 'reader is started for it (fat, by GRUB)', milliseconds: timings.other, peer },
      ]),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function count(digests: ReadonlySet<string>, expected: number): void {
  if (digests.size !== expected) throw new Error(`${digests.size} versions instead of ${expected}`)
}

async function makeSnapshots(parent: string, kind: DiskKind): Promise<readonly string[]> {
  const folder = await mkdtemp(join(parent, `${kind}-`))
  const base = join(folder, 'base.raw')
  makeFilesystem(kind, base, { [PATH]: 'version 0' }, { mebibytes: MEBIBYTES })
  const changes = Array.from({ length: SNAPSHOTS }, (_, index) => (raw: string) => {
    if (kind !== 'ext' || (index + 1) % 5 !== 0) return
    makeFilesystem('ext', join(folder, 'new'), { '/v': `version ${index + 1}` }, { mebibytes: 1 })
    editExt(raw, [`rm ${PATH}`, `write ${join(folder, 'new.files', 'v')} ${PATH}`])
  })
  return makeChain(folder, base, changes)
}

async function openAll(
  folder: string,
  files: readonly string[],
): Promise<AsyncDisposable & { look(): Promise<ReadonlySet<string>> }> {
  const virtualSize = MEBIBYTES * 1024 ** 2
  const layers = files.map((file, index): Layer => {
    return { file, format: 'qcow2', backing: index === 0 ? undefined : index - 1, isLive: false }
  })
  const sandbox = await Sandbox.open({
    layers,
    points: layers.map((_, layer) => ({ layer, virtualSize })),
    overlay: (size) => formatOverlay('/nowhere', size),
    folder,
    isRoot: process.getuid?.() === 0,
    processes: systemProcesses,
    signal: new AbortController().signal,
  })
  const tables: readonly FoundTable[] = await findPartitions(
    sandbox,
    layers.map(() => virtualSize),
  )
  const places = tables.map((table, index) => {
    const [partition] = table.partitions
    return partition === undefined ? undefined : placeOf(`/x/${index}`, table, partition)
  })
  const readers = new Readers(sandbox)
  return {
    look: async () => {
      const entries = await readers.look(places, PATH, { maxSize: 1024 ** 2 })
      return new Set(entries.map((entry) => (entry.state === 'file' ? entry.sha256 : entry.state)))
    },
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
}
