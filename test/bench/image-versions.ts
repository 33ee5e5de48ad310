/**
 * What ten versions of one image take in a registry, each with another file of 1 MiB in its root file system: frames that are
 * taken over are stored once, and each version has deltas from the last three. Needs e2fsprogs and sfdisk.
 */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBenchImage } from './image-pairs.ts'
import { formatTable, type Report, runProgram } from './measure.ts'

const MIB = 2 ** 20
const SECTOR = 512
const PUBLISH = join(import.meta.dirname, 'image-publish.ts')
const VERSIONS = 10

export async function measureImageVersions(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const after = await makeBenchImage(folder, 'after')
    const registry = join(folder, 'registry')
    const files = [after]
    const full: number[] = []
    const seconds: number[] = []
    for (let version = 0; version < VERSIONS; version++) {
      if (version > 0) files.push(await makeNext(folder, files.at(-1) ?? after, version))
      const file = files.at(-1) ?? after
      const began = performance.now()
      full.push(Number(runProgram(process.execPath, [PUBLISH, registry, file, ...files.slice(-4, -1).toReversed()])))
      seconds.push((performance.now() - began) / 1000)
    }
    const names = (await readdir(join(registry, 'blob'))).filter((name) => !name.endsWith('.partial'))
    const kept = await Promise.all(names.map(async (name) => (await stat(join(registry, 'blob', name))).size))
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    const later = seconds.slice(1)
    return {
      title: 'Ten versions of a disk image in a registry',
      about:
        'os-debian, and nine versions of it that each have another file of 1 MiB in their root file system. Publishing the first took ' +
        `${(seconds[0] ?? 0).toFixed(1)} s, a later one with its deltas ${(sum(later) / later.length).toFixed(1)} s.`,
      table: formatTable(
        ['', 'MiB'],
        [
          ['full fetch of the first version', mib(full[0] ?? 0)],
          ['full fetch of the last', mib(full.at(-1) ?? 0)],
          ['full fetches of all ten, as packs of their own would take', mib(sum(full))],
          ['packs of all ten in the registry, deltas included', mib(sum(kept))],
        ],
      ),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The image with one file more in its root file system, which is the last of its partitions. */
async function makeNext(folder: string, before: string, version: number): Promise<string> {
  const file = join(folder, `version-${version}`)
  const added = join(folder, 'added')
  runProgram('cp', ['--sparse=always', before, file])
  const program = await readFile(process.execPath)
  await writeFile(added, program.subarray(version * MIB, (version + 1) * MIB))
  const { partitiontable } = JSON.parse(runProgram('sfdisk', ['--json', file])) as {
    readonly partitiontable: { readonly partitions: readonly { readonly start: number }[] }
  }
  const start = partitiontable.partitions.at(-1)?.start ?? 0
  runProgram('debugfs', ['-w', '-R', `write ${added} added-${version}`, `${file}?offset=${start * SECTOR}`])
  return file
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1)
}
