/**
 * From a file of a known format to the raw bytes of the disk. Headers are checked before QEMU's tool sees the file; the
 * format is always named, no file below it is opened whatever its header says, and the tool runs with limits and, where
 * the host allows it, without network.
 *
 * Source: qemu-img(1), QEMU's `json:` file names. Threats A05, A07 to A09. Test oracle: `qemu-img compare`.
 */
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { type ForeignFile, TAIL_BYTES, verifyForeignHeader } from './foreign-header.ts'
import { HEAD_BYTES, type ImageFormat } from './format.ts'
import { writeSparse } from './sparse.ts'

export interface ToRawOptions {
  readonly file: string
  readonly format: ImageFormat
  /** Must not exist. */
  readonly target: string
  /** The virtual size that was declared; any up to `maxBytes` without. */
  readonly virtualSize?: number | undefined
  readonly maxBytes: number
  readonly processes: Processes
  readonly signal?: AbortSignal | undefined
}

const TOOL_MEMORY = 2 * 2 ** 30
const COPY_BYTES = 1024 * 1024
const CPU_SECONDS = 3600
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' }

/** Returns the virtual size. @throws {VmpkgError} `IMAGE_INVALID` `SIZE_EXCEEDED` `TOOL_MISSING` `ABORTED`; the target is then gone */
export async function imageToRaw(options: ToRawOptions): Promise<number> {
  const { file, format, target, maxBytes } = options
  const size = verifyForeignHeader(format, await readEnds(file))
  if (options.virtualSize !== undefined && size !== options.virtualSize) {
    throw new VmpkgError(
      'IMAGE_INVALID',
      `The image has ${size} bytes instead of the ${options.virtualSize} declared`,
      {
        hint: 'It is not the image that was described; get it from another place.',
      },
    )
  }
  if (size > maxBytes) {
    throw new VmpkgError('SIZE_EXCEEDED', `The disk has ${size} bytes; ${maxBytes} are allowed`, {
      hint: 'If it really is that large, raise the limit: --max-size 200GiB.',
    })
  }
  try {
    if (format === 'raw' || format === 'iso') await copySparse(options)
    else await convert(options, format, size)
    await finish(target, size)
    return size
  } catch (error) {
    await rm(target, { force: true })
    throw error
  }
}

export async function readEnds(file: string): Promise<ForeignFile> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  const { size } = await handle.stat()
  const head = Buffer.alloc(Math.min(size, HEAD_BYTES))
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES))
  await handle.read(head, 0, head.length, 0)
  await handle.read(tail, 0, tail.length, size - tail.length)
  return { head, tail, size }
}

async function copySparse({ file, target, signal }: ToRawOptions): Promise<void> {
  await using source = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  await using output = await open(target, 'wx', 0o600)
  const buffer = Buffer.allocUnsafe(COPY_BYTES)
  let position = 0
  for (;;) {
    if (signal?.aborted) throw new VmpkgError('ABORTED', `The copy of ${file} was interrupted`)
    const { bytesRead } = await source.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) break
    await writeSparse(output, buffer.subarray(0, bytesRead), position)
    position += bytesRead
  }
  await output.truncate(position)
}

async function convert(options: ToRawOptions, format: ImageFormat, size: number): Promise<void> {
  const { file, target } = options
  // A description of its own for QEMU: this driver, this file, and nothing below it.
  const source = `json:${JSON.stringify({ driver: format, file: { driver: 'file', filename: file }, ...(format === 'qcow2' ? { backing: null } : {}) })}`
  if (format === 'qcow2') await check(options, source)
  await run(options, ['convert', '-O', 'raw', '-S', '64k', source, target], size)
}

/** Reference counts that are wrong would make QEMU write where other data lies, or read what is not there (A09). */
async function check(options: ToRawOptions, source: string): Promise<void> {
  const { exitCode } = await confined(options, ['check', '-q', source], 1024 * 1024)
  if (exitCode === 0 || exitCode === 3) return // 3: clusters that nobody uses, which harm nothing
  throw new VmpkgError('IMAGE_INVALID', 'The qcow2 image has reference counts or tables that contradict each other', {
    hint: 'Get it from another place, or repair a copy: qemu-img check -r all.',
  })
}

async function run(options: ToRawOptions, args: readonly string[], maxFileBytes: number): Promise<void> {
  const { exitCode, stderr } = await confined(options, args, maxFileBytes)
  if (exitCode === 0) return
  const said = JSON.stringify(stderr.trim().split('\n').at(-1)?.slice(-300) ?? '')
  throw new VmpkgError('IMAGE_INVALID', `qemu-img cannot read the image: ${said}`, {
    hint: 'It is damaged, or not of the format that was declared.',
    details: { exitCode },
  })
}

async function confined({ processes, signal }: ToRawOptions, args: readonly string[], maxFileBytes: number) {
  const limits = [
    `--fsize=${maxFileBytes}`,
    `--as=${TOOL_MEMORY}`,
    `--cpu=${CPU_SECONDS}`,
    '--nofile=64',
    '--core=0',
    '--',
    'qemu-img',
  ]
  const options = { env: ENVIRONMENT, ...(signal === undefined ? {} : { signal }) }
  const apart = ['--user', '--map-current-user', '--net', '--ipc', '--']
  // Some hosts forbid user namespaces; the checks before this hold without them.
  const canBeApart = (await processes.run('unshare', [...apart, 'true'], options)).exitCode === 0
  const result = canBeApart
    ? await processes.run('unshare', [...apart, 'prlimit', ...limits, ...args], options)
    : await processes.run('prlimit', [...limits, ...args], options)
  if (result.exitCode !== 127) return result
  throw new VmpkgError('TOOL_MISSING', 'The program qemu-img is not there', {
    hint: 'Install it with: apt install qemu-utils',
  })
}

async function finish(target: string, size: number): Promise<void> {
  await using handle = await open(target, 'r+')
  if ((await handle.stat()).size !== size) {
    throw new VmpkgError('IMAGE_INVALID', `The image did not become the ${size} bytes that its header says`, {
      hint: 'It is damaged; get it again.',
    })
  }
  await handle.sync()
}
