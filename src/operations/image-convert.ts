/**
 * `image convert`: a disk image in another format, as a file of the user's own. What it stands on is read in only for those
 * who say so. The new file gets its name when it is whole, and the old one stays as it is.
 */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import { readChain } from '../image/backing-chain.ts'
import { decompressImage } from '../image/decompress.ts'
import { verifyForeignHeader } from '../image/foreign-header.ts'
import { formatsByName, type ImageFormat, parseImageFormat } from '../image/format.ts'
import { whileHeld } from '../image/image-lock.ts'
import { largestFile, measureNeeded } from '../image/qemu-measure.ts'
import { describeNode, type ImageLayer } from '../image/qemu-node.ts'
import { needTool, percentReader } from '../image/qemu-tool.ts'
import { readEnds } from '../image/to-raw.ts'
import { parseSize } from '../model/size.ts'
import { findDiskUsers, namingUser, requireStopped } from './disk-users.ts'
import { chooseFormat, findFile, findImage, type ImageFile, requireOwn } from './image-file.ts'
import { requireAbsent, writeOutput } from './output-file.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface ConvertRequest {
  /** A file, packed or not, or `PACKAGE[:ROLE]`. */
  readonly image: string
  readonly fromFormat: string | undefined
  readonly out: string
  /** Of the new file, where its name does not say it. */
  readonly format: string | undefined
  readonly compress: boolean
  readonly backing: boolean
  readonly force: boolean
  readonly maxSize: string | undefined
  readonly dryRun: boolean
}

export interface ConvertResult {
  readonly file: string
  readonly fromFormat: string
  readonly format: string
  readonly virtualSize: number
  /** What a packed or compressed result may take at most, and any other takes. */
  readonly neededBytes: number
  /** Files that the image stands on, whose bytes are in the new one. */
  readonly flattened: readonly string[]
}

const DEFAULT_MAX_BYTES = 64 * 2 ** 30
const OPTIONS: Readonly<Record<'plain' | 'compressed', Readonly<Partial<Record<ImageFormat, readonly string[]>>>>> = {
  plain: { raw: [], qcow2: ['-o', 'compat=1.1'], vmdk: ['-o', 'subformat=monolithicSparse'], vdi: [] },
  compressed: { qcow2: ['-c', '-o', 'compat=1.1,compression_type=zstd'], vmdk: ['-o', 'subformat=streamOptimized'] },
}

/**
 * @throws {VmpkgError} `USAGE` `PACKAGE_NOT_INSTALLED` `IMAGE_INVALID` `IMAGE_DAMAGED` `IMAGE_IN_USE` `IMAGE_READ_ONLY`
 *   `SIZE_EXCEEDED` `NO_SPACE` `TOOL_MISSING` `ABORTED`; nothing of the new file is left then
 */
export async function imageConvert(workspace: Workspace, request: ConvertRequest): Promise<ConvertResult> {
  const format = chooseOutput(request)
  const target = await placeOutput(workspace, request)
  const work = scratchFolder(workspace)
  try {
    const image = await openSource(workspace, request, work)
    if (image.path === target.real) {
      throw new VmpkgError('USAGE', 'An image cannot be converted onto itself', {
        hint: 'Give another name; vmpkg image compact makes a file smaller where it is.',
      })
    }
    return await namingUser(workspace, image, async () => convert(workspace, image, { ...request, format, target }))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

interface Output {
  readonly path: string
  /** Where something has that name. */
  readonly real: string | undefined
}

async function convert(
  workspace: Workspace,
  image: ImageFile,
  request: Omit<ConvertRequest, 'format'> & { readonly format: ImageFormat; readonly target: Output },
): Promise<ConvertResult> {
  const { target, format, compress, backing, dryRun } = request
  const { processes, signal } = workspace.outside
  const { layers, virtualSize } = await readChain(layerOf(image), { follow: backing })
  const tool = { processes, signal, file: image.path, diskBytes: virtualSize }
  const node = describeNode(layers)
  const neededBytes = await measureNeeded(node, format, tool)
  const folder = dirname(target.path)
  const result: ConvertResult = {
    file: target.path,
    fromFormat: image.format,
    format,
    virtualSize,
    neededBytes,
    flattened: layers.slice(1).map(({ file }) => file),
  }
  if (!compress) await checkSpace(folder, neededBytes)
  if (dryRun) return result
  const write = async (): Promise<void> => writeConverted(workspace, image, { ...request, virtualSize, node })
  // What somebody runs on is not replaced.
  await (target.real === undefined ? write() : whileHeld({ ...tool, file: target.real }, write))
  return result
}

async function writeConverted(
  { outside }: Workspace,
  image: ImageFile,
  change: Pick<ConvertRequest, 'compress' | 'force'> & {
    readonly format: ImageFormat
    readonly target: Output
    readonly virtualSize: number
    readonly node: string
  },
): Promise<void> {
  const { target, format, compress, force, virtualSize, node } = change
  const { processes, signal, emit } = outside
  emit({ type: 'stage-started', stage: 'convert', subject: image.said })
  const progress = { type: 'image-progressed', subject: basename(target.path), totalBytes: virtualSize } as const
  const mode = image.package === undefined ? (image.stats.mode & 0o666) | 0o600 : 0o600
  await writeOutput({ target: target.real ?? target.path, replace: force, mode }, async (temporary) => {
    const options = OPTIONS[compress ? 'compressed' : 'plain'][format] ?? []
    await needTool('qemu-img', ['convert', '-p', '-O', format, ...options, node, temporary], {
      processes,
      signal,
      file: image.path,
      diskBytes: virtualSize,
      maxFileBytes: largestFile(virtualSize),
      onOutput: percentReader((share) => emit({ ...progress, doneBytes: Math.floor(share * virtualSize) })),
    })
    const written = verifyForeignHeader(format, await readEnds(temporary))
    if (written !== Math.ceil(virtualSize / 512) * 512) {
      throw new VmpkgError('IMAGE_INVALID', `The new image has ${written} bytes instead of ${virtualSize}`)
    }
  })
}

function layerOf({ path, format }: ImageFile): ImageLayer {
  return { file: path, format }
}

function chooseOutput({ out, format: said, compress }: ConvertRequest): ImageFormat {
  const format = said === undefined ? formatsByName(basename(out)).format : parseImageFormat(said)
  if (format === undefined) {
    throw new VmpkgError('USAGE', `The name ${JSON.stringify(out.slice(0, 200))} does not say a format`, {
      hint: 'Add --format qcow2, raw, vmdk or vdi.',
    })
  }
  if (OPTIONS.plain[format] === undefined) {
    throw new VmpkgError('USAGE', `An image cannot be made ${format}`, { hint: 'Choose raw, qcow2, vmdk or vdi.' })
  }
  if (compress && OPTIONS.compressed[format] === undefined) {
    throw new VmpkgError('USAGE', `${format} has no compression`, {
      hint: 'Use qcow2 or vmdk, or pack the file: zstd FILE.',
    })
  }
  if (formatsByName(basename(out)).compression !== undefined) {
    throw new VmpkgError('USAGE', 'An image is not packed by this', {
      hint: 'Use --compress with qcow2, or pack the file: zstd FILE.',
    })
  }
  return format
}

/** Where the new file goes. */
async function placeOutput(workspace: Workspace, { out, force }: ConvertRequest): Promise<Output> {
  const path = resolve(workspace.folder, out)
  const folder = await realpath(dirname(path)).catch((error: unknown) => {
    if (!['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw error
    throw new VmpkgError('USAGE', `There is no folder ${JSON.stringify(dirname(path))}`, { hint: 'Make it first.' })
  })
  const own = join(folder, basename(path))
  await requireOwn(workspace, { path: own, said: out })
  if (!force) await requireAbsent(own)
  const real = await realpath(own).catch(() => undefined)
  if (real === undefined) return { path: own, real }
  await findFile(workspace, real)
  await requireOwn(workspace, { path: real, said: out })
  requireStopped(out, await findDiskUsers(workspace, real))
  return { path: own, real }
}

/** A packed file is unpacked first, within bounds (threats A05). */
async function openSource(workspace: Workspace, request: ConvertRequest, work: string): Promise<ImageFile> {
  const { image, fromFormat, out } = request
  const { compression } = formatsByName(basename(image))
  if (compression === undefined) return findImage(workspace, { image, format: fromFormat })
  const { path, stats } = await findFile(workspace, image)
  const { processes, signal, emit } = workspace.outside
  const maxBytes = request.maxSize === undefined ? DEFAULT_MAX_BYTES : parseSize(request.maxSize)
  await mkdir(work, { recursive: true, mode: 0o700 })
  emit({ type: 'stage-started', stage: 'unpack', subject: basename(out) })
  const plain = join(work, 'unpacked')
  await decompressImage({ file: path, compression, target: plain, maxBytes, processes, signal })
  return { path: plain, said: image, stats, format: chooseFormat((await readEnds(plain)).head, image, fromFormat) }
}
