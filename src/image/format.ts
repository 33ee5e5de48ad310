/**
 * Formats that an image may have before it becomes raw, and how a file says which one it is. The declared format decides;
 * what the first bytes look like can only contradict it, never choose it: a raw disk whose first bytes look like qcow2
 * stays raw (threats A08).
 *
 * Source: QEMU docs/interop/qcow2.rst, VMware's VMDK 5.0, QEMU block/vdi.c, ECMA-119. Test oracle: `qemu-img info -f`.
 */
import { VmpkgError } from '../errors.ts'

const IMAGE_FORMATS = ['raw', 'qcow2', 'vmdk', 'vdi', 'iso'] as const
export type ImageFormat = (typeof IMAGE_FORMATS)[number]

const COMPRESSIONS = ['gz', 'xz', 'zst', 'bz2'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** Bytes from the start of a file that `looksLike` and the header readers need. */
export const HEAD_BYTES = 64 * 1024

const ISO_MAGIC_AT = 32_769

/** `disk.qcow2.xz` is qcow2 in xz; `disk.img` says nothing of its format. */
export function formatsByName(name: string): {
  readonly format: ImageFormat | undefined
  readonly compression: Compression | undefined
} {
  const words = name.toLowerCase().split('.')
  const compression = COMPRESSIONS.find((one) => one === words.at(-1))
  const extension = words.length > 1 ? words.at(compression === undefined ? -1 : -2) : undefined
  return { compression, format: IMAGE_FORMATS.find((one) => one === extension) }
}

/** What the first bytes look like. */
export function looksLike(head: Uint8Array): ImageFormat | undefined {
  const text = (start: number, length: number): string =>
    Buffer.from(head.subarray(start, start + length)).toString('latin1')
  if (text(0, 4) === 'QFI\xfb') return 'qcow2'
  if (text(0, 4) === 'KDMV' || text(0, 4) === 'COWD' || text(0, 21) === '# Disk DescriptorFile') return 'vmdk'
  if (head.length >= 68 && Buffer.from(head).readUInt32LE(64) === 0xbeda107f) return 'vdi'
  return text(ISO_MAGIC_AT, 5) === 'CD001' ? 'iso' : undefined
}

/** @throws {VmpkgError} `USAGE` */
export function parseImageFormat(text: string): ImageFormat {
  const found = IMAGE_FORMATS.find((one) => one === text)
  if (found !== undefined) return found
  throw new VmpkgError('USAGE', `Not a format of images: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: `Use ${IMAGE_FORMATS.join(', ')}.`,
  })
}

/**
 * The format to use. Nothing is guessed: without a declared one the name has to say, and a file that looks like something
 * else than it is said to be is refused unless it was declared raw.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export function decideFormat(
  head: Uint8Array,
  said: { readonly declared: ImageFormat | undefined; readonly name: string },
): ImageFormat {
  const { declared, name } = said
  const format = declared ?? formatsByName(name).format
  const looks = looksLike(head)
  if (format === 'raw') return 'raw'
  if (format === undefined) {
    throw new VmpkgError('IMAGE_INVALID', `The name ${JSON.stringify(name.slice(0, 100))} does not say its format`, {
      hint: `Add --format ${looks ?? 'raw'} if that is what it is.`,
    })
  }
  if (looks === format) return format
  throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(name.slice(0, 100))} is not ${format}`, {
    hint: looks === undefined ? 'It may be compressed or damaged.' : `It looks like ${looks}.`,
  })
}
