/**
 * Compressed images, unpacked within bounds (threats A05): output by size and by ratio, windows and memory of the
 * decoders, time by the caller's signal. gzip and zstd by Node; xz and bzip2 by their programs, whose output file the
 * system itself cuts off. Holes are kept as holes.
 *
 * Test oracle: `gzip`, `xz`, `zstd` and `bzip2` of the host.
 */
import { createReadStream } from 'node:fs'
import { link, open, rm, stat } from 'node:fs/promises'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import type { Compression } from './format.ts'
import { writeSparse } from './sparse.ts'

export interface DecompressOptions {
  readonly file: string
  readonly compression: Compression
  /** Must not exist. */
  readonly target: string
  /** Bytes that may come out. */
  readonly maxBytes: number
  readonly processes: Processes
  readonly signal?: AbortSignal | undefined
}

/** Up to here any ratio is fine: a small empty disk packs very well. */
const RATIO_FREE_BYTES = 2 ** 30
const MAX_RATIO = 256
const MAX_WINDOW_LOG = 27 // 128 MiB
const DECODER_MEMORY = 192 * 1024 * 1024

/** @throws {VmpkgError} `SIZE_EXCEEDED` `IMAGE_INVALID` `TOOL_MISSING` `ABORTED`; the target is then gone */
export async function decompressImage(options: DecompressOptions): Promise<void> {
  const { file, compression, target } = options
  const packed = (await stat(file)).size
  const limit = Math.min(options.maxBytes, Math.max(RATIO_FREE_BYTES, packed * MAX_RATIO))
  try {
    await (compression === 'gz' || compression === 'zst' ? unpackHere(options, limit) : unpackByProgram(options, limit))
  } catch (error) {
    await rm(target, { force: true })
    if (error instanceof VmpkgError) throw error
    throw new VmpkgError('IMAGE_INVALID', `The ${compression} file is damaged`, {
      hint: 'Fetch it again.',
      cause: error,
    })
  }
}

async function unpackHere({ file, compression, target, signal }: DecompressOptions, limit: number): Promise<void> {
  const decoder =
    compression === 'gz'
      ? createGunzip()
      : createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } })
  const source = createReadStream(file, { highWaterMark: 256 * 1024 })
  source.on('error', (error) => decoder.destroy(error))
  await using output = await open(target, 'wx', 0o600)
  let size = 0
  try {
    for await (const piece of source.pipe(decoder)) {
      if (signal?.aborted) throw new VmpkgError('ABORTED', `Unpacking of ${file} was interrupted`)
      const bytes = piece as Buffer
      if (size + bytes.length > limit) throw tooLarge(limit)
      await writeSparse(output, bytes, size)
      size += bytes.length
    }
  } finally {
    source.destroy()
    decoder.destroy()
  }
  await output.truncate(size)
  await output.sync()
}

/** The programs write beside their input and go by its name, so it gets one that we chose. */
async function unpackByProgram(
  { file, compression, target, processes, signal }: DecompressOptions,
  limit: number,
): Promise<void> {
  const input = `${target}.${compression}`
  await link(file, input)
  try {
    const limits = [`--fsize=${limit}`, `--as=${4 * DECODER_MEMORY}`, '--core=0', '--']
    const decoder =
      compression === 'xz'
        ? ['xz', '--decompress', '--keep', '--force', `--memlimit-decompress=${DECODER_MEMORY}`]
        : ['bzip2', '--decompress', '--keep', '--force']
    const { exitCode, stderr } = await processes.run('prlimit', [...limits, ...decoder, '--', input], {
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
      ...(signal === undefined ? {} : { signal }),
    })
    if (exitCode === 0) return
    if (exitCode === 127) {
      const [program = ''] = decoder
      throw new VmpkgError('TOOL_MISSING', `The program ${program} is not there`, {
        hint: `Install it with: apt install ${program === 'xz' ? 'xz-utils' : program}`,
      })
    }
    // The system ends a program that writes beyond its limit by SIGXFSZ.
    const isLimit = exitCode < 0 || exitCode > 128 || /File too large/i.test(stderr)
    if (isLimit) throw tooLarge(limit)
    throw new VmpkgError('IMAGE_INVALID', `The ${compression} file cannot be unpacked: ${tail(stderr)}`, {
      hint: 'Fetch it again; a file that needs more than 192 MiB to unpack is refused.',
    })
  } finally {
    await rm(input, { force: true })
  }
}

function tail(text: string): string {
  return JSON.stringify(text.trim().split('\n').at(-1)?.slice(-200) ?? '')
}

function tooLarge(limit: number): VmpkgError {
  return new VmpkgError('SIZE_EXCEEDED', `The compressed image becomes larger than ${limit} bytes`, {
    hint: 'If it really is that large, raise the limit: --max-size 200GiB.',
  })
}
