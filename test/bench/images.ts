/**
 * What updates of disk images cost: bytes that travel, the publisher's time, the client's time, processor and memory, against
 * the tools that Debian has for it (those that are not installed are left out), with the least that a disk and a hash allow
 * beside them. Images are built from Debian packages by `image-pairs.ts`; `VMPKG_BENCH_IMAGES` names a folder that keeps them.
 *
 * Every program runs as a process of its own under `measured`; the client's part always ends with the whole image in a file.
 */
import { existsSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ImageState, makeBenchImage } from './image-pairs.ts'
import { formatTable, type Report, runProgram } from './measure.ts'

const MIB = 2 ** 20
const UPGRADE = join(import.meta.dirname, 'image-upgrade.ts')
const PUBLISH = join(import.meta.dirname, 'image-publish.ts')
/** Runs its arguments and prints what they took: Node cannot ask for the resources of its children. */
const MEASURE = `
import json, os, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
took = time.monotonic() - began
if done.returncode != 0: sys.exit(done.stderr.decode())
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"seconds": took, "cpu": use.ru_utime + use.ru_stime, "mib": use.ru_maxrss / 1024, "out": done.stdout.decode()}))
`

interface Took {
  readonly seconds: number
  readonly cpu: number
  readonly mib: number
  readonly out: string
}

interface Way {
  readonly name: string
  readonly bytes: number
  readonly publisher: Took
  readonly client: Took
}

export async function measureImages(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const before = await makeBenchImage(folder, 'before')
    const after = await makeBenchImage(folder, 'after')
    const size = (await stat(after)).size
    const work = join(folder, 'work')
    const upgrade = await measureWays(work, before, after)
    const limits = measureLimits(after, join(folder, 'copy'))
    const full = upgrade.find(({ name }) => name === 'vmpkg in full')?.bytes ?? Number.NaN
    const row = ({ name, bytes, publisher, client }: Way): readonly string[] => [
      name,
      mib(bytes),
      `${((100 * bytes) / full).toFixed(0)} %`,
      seconds(publisher),
      seconds(client),
      client.cpu.toFixed(1),
      client.mib.toFixed(0),
    ]
    const header = ['', 'MiB to move', 'of full', 'publisher, s', 'client, s', 'client CPU, s', 'client peak, MiB']
    const limitRows = limits.map(([name, took]) => [name, '', '', '', seconds(took), took.cpu.toFixed(1), ''])
    return {
      title: 'Upgrades of a disk image',
      about:
        `The disk of os-debian, ${(size / MIB).toFixed(0)} MiB, built by its recipe: the release, upgraded to the release with its ` +
        'security and update suites. All files are on one disk and in the page cache; the client’s time ends when the image is whole.',
      table: formatTable(header, [...upgrade.map(row), ...limitRows]),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function measured(program: string, ...args: readonly string[]): Took {
  return JSON.parse(runProgram('python3', ['-c', MEASURE, program, ...args])) as Took
}

function node(script: string, ...args: readonly string[]): Took {
  // As the first line of `src/bin.ts` has it.
  return measured('env', 'MALLOC_MMAP_THRESHOLD_=131072', process.execPath, script, ...args)
}

/** From one image to the other, each way once; the last is what a tool that knows nothing of the old one moves. */
async function measureWays(work: string, before: string, after: string): Promise<readonly Way[]> {
  const ways: Way[] = []
  const registry = join(work, 'registry')
  await mkdir(registry, { recursive: true })
  node(PUBLISH, registry, before)
  // Registries of their own: what one has compressed would help the other.
  const [alone, chunked] = [join(work, 'alone'), join(work, 'chunked')]
  runProgram('cp', ['-r', registry, chunked])
  const whole = node(PUBLISH, alone, after)
  const plain = node(PUBLISH, chunked, after, before, '--no-delta')
  const publish = node(PUBLISH, registry, after, before)
  for (const [name, mode, from, publisher] of [
    ['vmpkg in full', 'full', alone, whole],
    ['vmpkg by chunks', 'chunks', chunked, plain],
    ['vmpkg by delta', 'delta', registry, publish],
  ] as const) {
    const client = node(UPGRADE, from, join(work, 'store'), before, after, mode)
    rmSync(join(work, 'store'), { recursive: true })
    ways.push({ name, bytes: Number(client.out), publisher, client })
  }
  for (const peer of [xdelta3, zstdPatch, zstdWhole, rsync, casync, zsync]) {
    const way = await peer(work, before, after)
    if (way !== undefined) ways.push(way)
  }
  await rm(work, { recursive: true, force: true })
  return ways
}

function isInstalled(program: string): boolean {
  return existsSync(join('/usr/bin', program))
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size
}

type Peer = (work: string, before: string, after: string) => Promise<Way | undefined>

const xdelta3: Peer = async (work, before, after) => {
  if (!isInstalled('xdelta3')) return undefined
  const [patch, out] = [join(work, 'patch.xdelta'), join(work, 'out')]
  const publisher = measured(
    'xdelta3',
    '-e',
    '-f',
    '-9',
    '-S',
    'lzma',
    '-B',
    String(2 ** 30),
    '-s',
    before,
    after,
    patch,
  )
  const client = measured('xdelta3', '-d', '-f', '-B', String(2 ** 30), '-s', before, patch, out)
  return { name: '`xdelta3 -6 -S lzma`', bytes: await sizeOf(patch), publisher, client }
}

const zstdPatch: Peer = async (work, before, after) => {
  if (!isInstalled('zstd')) return undefined
  const [patch, out] = [join(work, 'patch.zst'), join(work, 'out')]
  const publisher = measured('zstd', '-qf', '-12', '-T0', '--long=31', `--patch-from=${before}`, after, '-o', patch)
  const client = measured('zstd', '-qdf', '--long=31', `--patch-from=${before}`, patch, '-o', out)
  return { name: '`zstd -12 --patch-from`', bytes: await sizeOf(patch), publisher, client }
}

const zstdWhole: Peer = async (work, _before, after) => {
  if (!isInstalled('zstd')) return undefined
  const [packed, out] = [join(work, 'whole.zst'), join(work, 'out')]
  const publisher = measured('zstd', '-qf', '-12', '-T0', after, '-o', packed)
  const client = measured('sh', '-c', 'zstd -qdf "$1" -o "$2" && sha256sum "$2"', 'sh', packed, out)
  return { name: '`zstd -12`, then `sha256sum`', bytes: await sizeOf(packed), publisher, client }
}

const NOTHING: Took = { seconds: 0, cpu: 0, mib: 0, out: '' }

const rsync: Peer = async (work, before, after) => {
  if (!isInstalled('rsync')) return undefined
  const out = join(work, 'rsync-out')
  runProgram('cp', ['--sparse=always', before, out])
  const client = measured('rsync', '-z', '--no-whole-file', '--inplace', '--stats', '--no-human-readable', after, out)
  const told = [...client.out.matchAll(/^Total bytes (?:sent|received): (\d+)/gm)]
  const bytes = told.reduce((sum, [, count]) => sum + Number(count), 0)
  return { name: '`rsync -z`, both ends', bytes, publisher: NOTHING, client }
}

const casync: Peer = async (work, before, after) => {
  if (!isInstalled('casync')) return undefined
  const [old, fresh, out] = [join(work, 'casync-old'), join(work, 'casync-new'), join(work, 'casync-out')]
  const index = join(work, 'new.caibx')
  runProgram('casync', ['make', `--store=${old}`, join(work, 'old.caibx'), before])
  const publisher = measured('casync', 'make', `--store=${fresh}`, index, after)
  const chunks = await listChunks(fresh)
  const known = await listChunks(old)
  const missing = [...chunks].filter(([name]) => !known.has(name)).reduce((sum, [, size]) => sum + size, 0)
  const client = measured('casync', 'extract', `--store=${fresh}`, `--seed=${before}`, index, out)
  return { name: '`casync` with a seed', bytes: missing + (await sizeOf(index)), publisher, client }
}

async function listChunks(store: string): Promise<ReadonlyMap<string, number>> {
  const names = (await readdir(store, { recursive: true })).filter((name) => name.endsWith('.cacnk'))
  return new Map(await Promise.all(names.map(async (name) => [name, await sizeOf(join(store, name))] as const)))
}

/** Only what it counts: its transfers need a server that answers several ranges at once. */
const zsync: Peer = async (work, before, after) => {
  if (!isInstalled('zsync') || !isInstalled('zsyncmake')) return undefined
  const control = join(work, 'new.zsync')
  const publisher = measured('zsyncmake', '-C', '-u', 'http://127.0.0.1:9/image', '-o', control, after)
  const out = join(work, 'zsync-out')
  // It reads the old image, says how much of the new one that has, and then finds no server.
  const script = 'zsync -i "$1" -o "$2" "$3" 2>&1 || true'
  const client = measured('sh', '-c', script, 'sh', before, out, control)
  const [, share] = /Target ([\d.]+)% complete/.exec(client.out) ?? []
  if (share === undefined) return undefined
  const bytes = (await sizeOf(after)) * (1 - Number(share) / 100) + (await sizeOf(control))
  return { name: '`zsync`, without its transfer', bytes, publisher, client }
}

/** What no way can do without. */
function measureLimits(after: string, copy: string): readonly (readonly [string, Took])[] {
  return [
    ['limit: `dd` of the image, synced', measured('dd', `if=${after}`, `of=${copy}`, 'bs=1M', 'conv=sparse,fsync')],
    ['limit: `sha256sum` of the image', measured('sha256sum', after)],
  ]
}

const CHANGES = [
  ['a package more', 'after', 'more'],
  ['the same inputs in a new file system', 'after', 'rebuilt'],
  ['a sibling with other packages', 'after', 'sibling'],
] as const satisfies readonly (readonly [string, ImageState, ImageState])[]

/** Bytes alone, for other pairs of images. */
export async function measureImageChanges(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const rows: (readonly string[])[] = []
    for (const [name, from, to] of CHANGES) rows.push([name, ...(await measureChange(folder, from, to)).map(mib)])
    return {
      title: 'Other changes of a disk image',
      about: 'MiB to move to whoever has os-debian of the release with its security and update suites.',
      table: formatTable(['', 'in full', 'by chunks', 'by delta', 'xdelta3', 'zstd --patch-from'], rows),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measureChange(folder: string, from: ImageState, to: ImageState): Promise<readonly number[]> {
  const [before, after] = [await makeBenchImage(folder, from), await makeBenchImage(folder, to)]
  const work = join(folder, 'work')
  const registry = join(work, 'registry')
  await mkdir(registry, { recursive: true })
  node(PUBLISH, registry, before)
  node(PUBLISH, registry, after, before)
  const bytes: number[] = []
  for (const mode of ['full', 'chunks', 'delta']) {
    bytes.push(Number(node(UPGRADE, registry, join(work, 'store'), before, after, mode).out))
    rmSync(join(work, 'store'), { recursive: true })
  }
  for (const peer of [xdelta3, zstdPatch]) bytes.push((await peer(work, before, after))?.bytes ?? Number.NaN)
  await rm(work, { recursive: true, force: true })
  return bytes
}

function mib(bytes: number): string {
  return Number.isNaN(bytes) ? '' : (bytes / MIB).toFixed(2)
}

function seconds(took: Took): string {
  return took === NOTHING ? '' : took.seconds.toFixed(1)
}
