/**
 * From a file of a known format to the raw bytes of the disk. Headers are checked before QEMU's tool sees the file; the
 * format is always named, no file below it is opened whatever its header says, and the tool runs with limits and, where
 * the host allows it, without network.
 *
 * Source: qemu-img(1), QEMU's `json:` file names. Threats A05, A07 to A09. Test oracle: `qemu-img compare`.
 */
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { type ForeignFile, TAIL_BYTES, verifyForeignHeader } from './foreign-header.ts'
import { HEAD_BYTES, type ImageFormat } from './format.ts'
import { describeNode } from './qemu-node.ts'
import { explainFailure, needTool, runTool, type ToolOptions } from './qemu-tool.ts'
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

const COPY_BYTES = 1024 * 1024

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
  const source = describeNode([{ file: resolve(file), format }])
  const tool = { ...options, diskBytes: size }
  if (format === 'qcow2') await verifyTables(source, tool)
  const args = ['convert', '-O', 'raw', '-S', '64k', source, target]
  await needTool('qemu-img', args, { ...tool, maxFileBytes: size })
}

/** Reference counts that are wrong would make QEMU write where other data lies, or read what is not there (A09). */
async function verifyTables(source: string, options: Omit<ToolOptions, 'maxFileBytes'>): Promise<void> {
  const checked = await runTool('qemu-img', ['check', '-q', source], { ...options, maxFileBytes: 1024 * 1024 })
  if (checked.exitCode === 0 || checked.exitCode === 3) return // 3: clusters that nobody uses, which harm nothing
  if (checked.exitCode !== 2) throw explainFailure('qemu-img', options.file, checked)
  throw new VmpkgError('IMAGE_INVALID', 'The qcow2 image has reference counts or tables that contradict each other', {
    hint: 'Get it from another place, or repair a copy: qemu-img check -r all.',
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
