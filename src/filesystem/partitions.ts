/** The file systems on the exported disks, point by point: their tables are compared first, and each is read once. */
import type { Filesystem, Place } from './entry.ts'
import { type Partition, type PartitionTable, readPartitionTable, TABLE_BYTES } from './partition-table.ts'
import type { Sandbox } from './sandbox.ts'
import { identify, SIGNATURE_BYTES } from './signature.ts'

export interface FoundPartition extends Partition {
  /** What can be read there, if anything. */
  readonly filesystem: Filesystem | undefined
  /** What it is instead, for the person. */
  readonly other: string | undefined
}

export interface FoundTable {
  readonly kind: PartitionTable['kind']
  readonly partitions: readonly FoundPartition[]
}

/** One table for each of the disks `/x/0`, `/x/1`, …; equal ones are one object. */
export async function findPartitions(sandbox: Sandbox, sizes: readonly number[]): Promise<readonly FoundTable[]> {
  const heads = await readHeads(sandbox, sizes)
  const known: { head: Buffer; size: number; table: FoundTable }[] = []
  const tables: FoundTable[] = []
  // The newest first: what is on a partition is looked up there.
  for (const index of [...sizes.keys()].toReversed()) {
    const [head, size] = [heads[index] ?? Buffer.alloc(0), sizes[index] ?? 0]
    let same = known.find((one) => one.size === size && one.head.equals(head) && !isBlank(one.table))
    if (same === undefined) {
      same = { head, size, table: await readTable(sandbox, `/x/${index}`, head, size) }
      known.push(same)
    }
    tables[index] = same.table
  }
  return tables
}

/** A disk with nothing on it yet looks like any other such disk, and like one whose file system begins further on. */
function isBlank({ partitions }: FoundTable): boolean {
  return partitions.every(({ filesystem }) => filesystem === undefined)
}

export function placeOf(image: string, table: FoundTable, partition: FoundPartition): Place | undefined {
  const { filesystem, offset, number } = partition
  return filesystem === undefined ? undefined : { image, filesystem, offset, partition: number, table: table.kind }
}

/** All in one go: a program for each of a hundred would take longer than reading them. */
async function readHeads(sandbox: Sandbox, sizes: readonly number[]): Promise<readonly Buffer[]> {
  const pieces: Uint8Array[] = []
  const images = sizes.map((_, index) => `/x/${index}`)
  await sandbox.run(['head', '-q', '-c', String(TABLE_BYTES), '--', ...images], {
    cpuSeconds: 20,
    output: async (stdout) => {
      for await (const chunk of stdout) pieces.push(chunk)
    },
  })
  const all = Buffer.concat(pieces)
  let at = 0
  return sizes.map((size) => {
    const head = all.subarray(at, at + Math.min(size, TABLE_BYTES))
    at += head.length
    return head
  })
}

async function readTable(sandbox: Sandbox, image: string, head: Buffer, size: number): Promise<FoundTable> {
  const read = (offset: number, length: number): Promise<Buffer> => readAt(sandbox, image, offset, length)
  const { kind, partitions } = await readPartitionTable(head, size, read)
  const found: FoundPartition[] = []
  for (const partition of partitions) {
    const signature = identify(await read(partition.offset, Math.min(SIGNATURE_BYTES, partition.bytes)))
    found.push({
      ...partition,
      filesystem: 'filesystem' in signature ? signature.filesystem : undefined,
      other: 'unsupported' in signature ? signature.unsupported : undefined,
    })
  }
  return { kind, partitions: found }
}

async function readAt(sandbox: Sandbox, image: string, offset: number, length: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  const words = [`if=${image}`, 'bs=64K', `skip=${offset}`, `count=${length}`, 'iflag=skip_bytes,count_bytes,fullblock']
  await sandbox.run(['dd', 'status=none', ...words], {
    cpuSeconds: 20,
    output: async (stdout) => {
      for await (const chunk of stdout) pieces.push(chunk)
    },
  })
  return Buffer.concat(pieces).subarray(0, length)
}
