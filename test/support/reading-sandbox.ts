/** A sandbox over image files, for tests of the readers: each file is one point in time. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Place } from '../../src/filesystem/entry.ts'
import { findPartitions, placeOf } from '../../src/filesystem/partitions.ts'
import { Readers } from '../../src/filesystem/readers.ts'
import { Sandbox } from '../../src/filesystem/sandbox.ts'
import { formatOverlay } from '../../src/image/qcow2-overlay.ts'
import { systemProcesses } from '../../src/node/processes.ts'

/** Points on raw files, in order. */
export async function openRaw(files: readonly string[]): Promise<
  AsyncDisposable & {
    readonly sandbox: Sandbox
    readonly readers: Readers
    /** The first readable partition of each file. */
    readonly places: readonly (Place | undefined)[]
  }
> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-reading-'))
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  const sandbox = await Sandbox.open({
    layers: files.map((file) => ({ file, format: 'raw', backing: undefined, isLive: false })),
    points: files.map((_, layer) => ({ layer, virtualSize: sizes[layer] ?? 0 })),
    overlay: (virtualSize) => formatOverlay('/nowhere', virtualSize),
    folder,
    isRoot: process.getuid?.() === 0,
    processes: systemProcesses,
    signal: new AbortController().signal,
  })
  const tables = await findPartitions(sandbox, sizes)
  const places = tables.map((table, index) => {
    const partition = table.partitions.find(({ filesystem }) => filesystem !== undefined)
    return partition === undefined ? undefined : placeOf(`/x/${index}`, table, partition)
  })
  return {
    sandbox,
    readers: new Readers(sandbox),
    places,
    [Symbol.asyncDispose]: async () => {
      await sandbox[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
