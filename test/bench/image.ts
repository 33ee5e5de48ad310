/**
 * Fetching, verifying and assembling a raw image of 1 GiB into the store, from a folder and over loopback HTTP, against
 * `cp` and `sha256sum` of the same file. The image is made of this machine's /usr, as a filesystem would hold it.
 */
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { chunkDigest, formatChunkMap, makeChunkMap, parseChunkMap } from '../../src/image/chunk-map.ts'
import { type PackedImage, packImage } from '../../src/image/pack-image.ts'
import { formatRows, interleave, median, type Report, runProgram } from './measure.ts'

const MIB = 2 ** 20
const SIZE = 1024 * MIB
/** The rest stays a hole, as free space in a filesystem. */
const FILLED = 1000 * MIB
const BLOCK = 4096
const SPARSE = 2 ** 40
const ROUNDS = 5
/** As the first line of `src/bin.ts` has it. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '131072' }
const INSTALLER = join(import.meta.dirname, 'image-install.ts')

interface Installed {
  readonly seconds: number
  readonly peakMib: number
  /** Milliseconds: the longest that the event loop was held up, and the 99th percentile. */
  readonly loopDelayMs: number
  readonly loopDelay99Ms: number
}

export async function measureImage(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  const server = createServer()
  try {
    const file = join(folder, 'image.raw')
    await makeImage(file)
    const outDir = join(folder, 'registry')
    const packing = performance.now()
    const packed = await packImage({ file, outDir })
    const packSeconds = (performance.now() - packing) / 1000
    serve(server, outDir)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const runs: Installed[] = []
    const install = async (base: URL): Promise<number> => {
      const run = await installOnce(base, join(folder, 'images'), packed)
      runs.push(run)
      return run.seconds * 1000
    }
    const copy = join(folder, 'copy')
    const timings = await interleave(ROUNDS, {
      peer: async () => {
        const began = performance.now()
        runProgram('cp', [file, copy])
        runProgram('sha256sum', [copy])
        const milliseconds = performance.now() - began
        await rm(copy)
        return milliseconds
      },
      folder: () => install(pathToFileURL(outDir)),
      http: () => install(address),
    })
    const sparse = await installSparse(folder, outDir, packed)
    const of = (key: Exclude<keyof Installed, 'seconds'>): number => median(runs.map((run) => run[key]))
    const peer = { name: '`cp` + `sha256sum`', milliseconds: timings.peer }
    return {
      title: 'Install of an image of 1 GiB',
      about:
        `${FILLED / MIB} MiB of the files of /usr, ${(packed.transport.fullBytes / MIB).toFixed(0)} MiB to fetch; packing it took ` +
        `${packSeconds.toFixed(0)} s. Fetched, verified, assembled into the store and synced, in a process of its own; peak ` +
        `resident ${of('peakMib').toFixed(0)} MiB; the event loop was held up for ${of('loopDelay99Ms').toFixed(0)} ms at the 99th percentile, ` +
        `${of('loopDelayMs').toFixed(0)} ms at most (medians). ${ROUNDS} rounds, the page cache warm. The same chunks with holes between them, 1 TiB ` +
        `in all: ${sparse.seconds.toFixed(1)} s, peak resident ${sparse.peakMib.toFixed(0)} MiB.`,
      table: formatRows([
        { what: 'from a folder', milliseconds: timings.folder, peer, goal: 1.2 },
        { what: 'over loopback HTTP', milliseconds: timings.http, peer, goal: 1.2 },
      ]),
    }
  } finally {
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function installOnce(base: URL, images: string, packed: PackedImage): Promise<Installed> {
  const facts = [packed.digest, String(packed.size), packed.map.file, packed.transport.file]
  const { stdout } = await promisify(execFile)(process.execPath, [INSTALLER, base.href, images, ...facts], {
    env: { ...process.env, ...MALLOC },
  })
  await rm(images, { recursive: true })
  return JSON.parse(stdout) as Installed
}

/** The chunks of the image, spread over 1 TiB: another map, the same frames. */
async function installSparse(folder: string, outDir: string, packed: PackedImage): Promise<Installed> {
  const dense = parseChunkMap(await readFile(packed.map.file))
  const gap = Math.floor((SPARSE - SIZE) / dense.chunks.length / BLOCK) * BLOCK
  const extents = [...dense.chunks].flatMap((chunk) => [
    { length: gap, digest: undefined },
    { length: dense.lengths.at(chunk) ?? 0, digest: chunkDigest(dense, chunk) },
  ])
  const map = makeChunkMap(dense.cutting, extents)
  const file = join(folder, 'sparse-map')
  await writeFile(file, formatChunkMap(map))
  const sparse = { ...packed, size: map.virtualSize, map: { ...packed.map, file } }
  return installOnce(pathToFileURL(outDir), join(folder, 'images'), sparse)
}

/** Regular files of /usr in order of their paths, each from a block of its own, again from the first where they end. */
async function makeImage(path: string): Promise<void> {
  const entries = await readdir('/usr', { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  await using image = await open(path, 'wx')
  await image.truncate(SIZE)
  let offset = 0
  while (offset < FILLED) {
    const before = offset
    for (const file of files.toSorted()) {
      if (offset >= FILLED) break
      const { size } = await stat(file)
      const bytes = size === 0 ? Buffer.alloc(0) : (await readFile(file)).subarray(0, FILLED - offset)
      await image.write(bytes, 0, bytes.length, offset)
      offset += Math.ceil(bytes.length / BLOCK) * BLOCK
    }
    if (offset === before) throw new Error('/usr holds no files')
  }
  await image.sync()
}

/** Ranges as `bytes=A-B` only: what our client asks for. */
function serve(server: ReturnType<typeof createServer>, folder: string): void {
  server.on('request', (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const path = join(folder, new URL(request.url ?? '/', 'http://localhost').pathname)
    const range = first === undefined ? {} : { start: Number(first), end: Number(last) }
    response.writeHead(
      first === undefined ? 200 : 206,
      first === undefined ? {} : { 'content-range': `bytes ${first}-${last}/*` },
    )
    createReadStream(path, { ...range, highWaterMark: MIB }).pipe(response)
  })
}
