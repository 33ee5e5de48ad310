/**
 * The files that an image stands on, read from the headers by ourselves, so that QEMU gets each by name and format and
 * follows nothing on its own. Only for those who say that they trust the image (threats A07, A08).
 *
 * Source: QEMU docs/interop/qcow2.rst. Test oracle: `qemu-img info --backing-chain`.
 */
import { realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { type AllowedInHeader, verifyForeignHeader } from './foreign-header.ts'
import { parseQcow2Header } from './qcow2-header.ts'
import type { ImageLayer } from './qemu-node.ts'
import { readEnds } from './to-raw.ts'

export interface Chain {
  /** The image first. */
  readonly layers: readonly ImageLayer[]
  /** Of the disk, in bytes. */
  readonly virtualSize: number
}

/** QEMU has no limit; its tools run with 64 open files. */
const MAX_LAYERS = 32

/**
 * @param follow without it an image that stands on another file is refused
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export async function readChain(
  { file, format }: ImageLayer,
  { follow, allowed = {} }: { readonly follow: boolean; readonly allowed?: AllowedInHeader },
): Promise<Chain> {
  const layers: ImageLayer[] = []
  let virtualSize: number | undefined
  let next: ImageLayer | undefined = { file: await realpath(file), format }
  while (next !== undefined) {
    if (layers.length === MAX_LAYERS) throw invalid(file, `stands on more than ${MAX_LAYERS} files`)
    if (layers.some((layer) => layer.file === next?.file)) throw invalid(file, 'stands on itself')
    const ends = await readEnds(next.file)
    const size = verifyForeignHeader(next.format, ends, { ...allowed, backing: true })
    virtualSize ??= size
    layers.push(next)
    const below: Below | undefined = next.format === 'qcow2' ? parseQcow2Header(ends.head) : undefined
    if (below?.backingFile !== undefined && !follow) {
      throw invalid(file, `stands on ${JSON.stringify(below.backingFile.slice(0, 200))}`, {
        hint: 'If you know who made it and trust that, add --backing: then that file is read too.',
      })
    }
    next = await findBelow(next.file, below)
  }
  return { layers, virtualSize: virtualSize ?? 0 }
}

interface Below {
  readonly backingFile: string | undefined
  readonly backingFormat: string | undefined
}

async function findBelow(file: string, below: Below | undefined): Promise<ImageLayer | undefined> {
  if (below?.backingFile === undefined) return undefined
  const name = below.backingFile
  const said = JSON.stringify(name.slice(0, 200))
  if (/^[^/]*:/.test(name)) throw invalid(file, `stands on ${said}, which is no plain file`)
  const format = (['raw', 'qcow2', 'vmdk', 'vdi'] as const).find((one) => one === below.backingFormat)
  if (format === undefined) {
    throw invalid(file, `does not say which format ${said} has`, {
      hint: 'Say so, once: qemu-img rebase -u -b BACKING -F FORMAT IMAGE.',
    })
  }
  const path = resolve(dirname(file), name)
  const real = await realpath(path).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause
    throw invalid(file, `stands on ${said}, which is not there`, {
      hint: 'Bring that file back, or get a whole image.',
    })
  })
  return { file: real, format }
}

function invalid(file: string, fact: string, options: { readonly hint?: string } = {}): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `The image ${JSON.stringify(file)} ${fact}`, options)
}
