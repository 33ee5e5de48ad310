/** One file from outside, however it is packed and whatever its format, to the raw bytes of a disk. */
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { decompressImage } from './decompress.ts'
import { type Compression, decideFormat, formatsByName, type ImageFormat } from './format.ts'
import { imageToRaw, readEnds } from './to-raw.ts'

export interface RawFromOptions {
  readonly file: string
  /** As published, as in `disk.qcow2.xz`: says how it is packed, and its format where none is declared. */
  readonly name: string
  readonly format?: ImageFormat | undefined
  readonly virtualSize?: number | undefined
  readonly maxBytes: number
  /** A folder for what is in between, on the file system of `target`; the caller removes it. */
  readonly work: string
  /** Must not exist. */
  readonly target: string
  readonly processes: Processes
  readonly signal?: AbortSignal | undefined
}

export interface RawImage {
  readonly format: ImageFormat
  readonly virtualSize: number
}

const MAGIC: Readonly<Record<Compression, string>> = {
  gz: '\x1f\x8b',
  xz: '\xfd7zXZ\0',
  zst: '\x28\xb5\x2f\xfd',
  bz2: 'BZh',
}

/** @throws {VmpkgError} `IMAGE_INVALID` `SIZE_EXCEEDED` `TOOL_MISSING` `ABORTED` */
export async function rawFrom(options: RawFromOptions): Promise<RawImage> {
  const { file, name, target, maxBytes, work, processes, signal } = options
  const { compression } = formatsByName(name)
  const shared = { maxBytes, processes, signal }
  const plain = compression === undefined ? file : join(work, 'unpacked')
  if (compression !== undefined) {
    requireMagic((await readEnds(file)).head, compression, name)
    await decompressImage({ ...shared, file, compression, target: plain })
  }
  const { head } = await readEnds(plain)
  const format = decideFormat(head, { declared: options.format, name })
  const virtualSize = await imageToRaw({ ...shared, file: plain, format, target, virtualSize: options.virtualSize })
  return { format, virtualSize }
}

function requireMagic(head: Buffer, compression: Compression, name: string): void {
  const magic = MAGIC[compression]
  if (head.toString('latin1', 0, magic.length) === magic) return
  throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(name.slice(0, 100))} is not compressed as its name says`, {
    hint: 'Get it again, or give it the name that fits.',
  })
}
