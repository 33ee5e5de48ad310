/**
 * `image resize`: another size for the disk in a raw or qcow2 file, where it is. A smaller one only on request, and never so
 * small that partitions, a file system or data are cut off. The second copy of a GPT goes to the new end; growing partitions
 * and file systems is the guest's part. QEMU's lock on the file is held from the first look to the last write.
 */
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { type Chain, readChain } from '../image/backing-chain.ts'
import { whileHeld } from '../image/image-lock.ts'
import { type DiskContents, type DiskWrite, moveGpt, readDiskContents } from '../image/partition-table.ts'
import { describeNode } from '../image/qemu-node.ts'
import { needTool, type ToolOptions } from '../image/qemu-tool.ts'
import { formatSize, parseSize } from '../model/size.ts'
import { findDiskUsers, namingUser, requireStopped } from './disk-users.ts'
import { readDiskHead } from './image-contents.ts'
import { findImage, type ImageChoice, type ImageFile, requireOwn } from './image-file.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface ResizeRequest extends ImageChoice {
  readonly size: string
  readonly shrink: boolean
  readonly backing: boolean
  readonly dryRun: boolean
}

export interface ResizeResult {
  readonly file: string
  readonly format: string
  readonly before: number
  readonly after: number
  readonly contents: DiskContents
  /** What is left to do in the guest. */
  readonly guestSteps: readonly string[]
}

/** 16 TiB, as everywhere. */
const MAX_BYTES = 2 ** 44
const MIB = 2 ** 20

/**
 * @throws {VmpkgError} `USAGE` `PARAMETER_INVALID` `IMAGE_INVALID` `IMAGE_IN_USE` `IMAGE_READ_ONLY` `RESIZE_REFUSED`
 *   `TOOL_MISSING` `ABORTED`
 */
export async function imageResize(workspace: Workspace, request: ResizeRequest): Promise<ResizeResult> {
  const after = parseNewSize(request.size)
  const image = await findImage(workspace, request)
  await requireOwn(workspace, image)
  if (image.format !== 'raw' && image.format !== 'qcow2') {
    throw new VmpkgError('RESIZE_REFUSED', `A ${image.format} image keeps its size`, {
      hint: `Convert it, and resize that: vmpkg image convert ${image.said} disk.qcow2.`,
    })
  }
  const { path, said } = image
  const { processes, signal } = workspace.outside
  requireStopped(said, await findDiskUsers(workspace, path))
  return namingUser(workspace, image, async () =>
    whileHeld({ file: path, processes, signal }, async () => resizeHeld(workspace, image, { ...request, after })),
  )
}

async function resizeHeld(
  workspace: Workspace,
  image: ImageFile,
  { after, shrink, backing, dryRun }: ResizeRequest & { readonly after: number },
): Promise<ResizeResult> {
  const chain = await readChain({ file: image.path, format: image.format }, { follow: backing })
  const before = chain.virtualSize
  const head = await readDiskHead(workspace, chain, { isHeld: true })
  const contents = readDiskContents(head)
  const isSmaller = after < before
  if (isSmaller) {
    if (!shrink) {
      throw new VmpkgError('RESIZE_REFUSED', `The disk has ${formatSize(before)}; ${formatSize(after)} would cut it`, {
        hint: 'Make partitions and file systems smaller in the guest first; then add --shrink.',
      })
    }
    requireEnough(contents, after)
    if (contents.neededBytes === undefined) await requireUnused(workspace, chain, after)
  }
  const result: ResizeResult = {
    file: image.path,
    format: image.format,
    before,
    after,
    contents,
    guestSteps: after > before ? stepsInGuest(contents) : [],
  }
  if (dryRun || after === before) return result
  const { processes, signal, emit } = workspace.outside
  emit({ type: 'stage-started', stage: 'resize', subject: image.said })
  const writes = contents.kind === 'gpt' ? moveGpt(head, after) : []
  const tool = { processes, signal, file: image.path, maxFileBytes: MAX_BYTES }
  await writeAndTruncate(workspace, chain, { tool, writes, after, isSmaller })
  const { virtualSize } = await readChain({ file: image.path, format: image.format }, { follow: backing })
  if (virtualSize !== after) {
    throw new VmpkgError('IMAGE_INVALID', `The disk has ${virtualSize} bytes instead of ${after}`, {
      hint: 'Look at it with vmpkg image check.',
    })
  }
  await using file = await open(image.path, 'r+')
  await file.sync()
  return result
}

/**
 * In the order in which a power cut at any point leaves a table that fits the disk: the far copy, the first copy that names
 * it, and only then the cut; or the new end first, and then the two copies.
 */
async function writeAndTruncate(
  workspace: Workspace,
  { layers }: Chain,
  change: {
    readonly tool: ToolOptions
    readonly writes: readonly DiskWrite[]
    readonly after: number
    readonly isSmaller: boolean
  },
): Promise<void> {
  const { tool, writes, after, isSmaller } = change
  const cwd = scratchFolder(workspace)
  await mkdir(cwd, { recursive: true, mode: 0o700 })
  try {
    const commands: string[] = []
    for (const [number, { offset, bytes }] of writes.entries()) {
      await writeFile(join(cwd, `part-${number}`), bytes)
      commands.push(`write -s part-${number} ${offset} ${bytes.length}`, 'flush')
    }
    const truncate = [`truncate ${after}`, 'flush']
    const all = isSmaller ? [...commands, ...truncate] : [...truncate, ...commands]
    const args = [...all.flatMap((command) => ['-c', command]), describeNode(layers, { isHeld: true })]
    await needTool('qemu-io', args, { ...tool, cwd })
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}

function parseNewSize(text: string): number {
  const size = parseSize(text)
  if (size % 512 === 0 && size >= 512 && size <= MAX_BYTES) return size
  throw new VmpkgError('USAGE', `A disk cannot have ${text}`, { hint: 'Give a multiple of 512 bytes, up to 16TiB.' })
}

function requireEnough({ kind, partitions, neededBytes }: DiskContents, after: number): void {
  if (kind === 'damaged gpt') {
    throw new VmpkgError('RESIZE_REFUSED', 'The partition table is damaged, so nobody knows what would be cut off', {
      hint: 'Repair it first, in the guest or with gdisk.',
    })
  }
  if (kind === 'whole disk') {
    throw new VmpkgError('RESIZE_REFUSED', 'Something uses the disk to its end: LUKS, LVM or swap without partitions', {
      hint: 'Make a new disk and move what is on this one.',
    })
  }
  if (neededBytes === undefined || neededBytes <= after) return
  const last = partitions.toSorted((a, b) => b.end - a.end)[0]
  const what = last === undefined ? `the ${kind} file system` : `partition ${last.number}`
  throw new VmpkgError(
    'RESIZE_REFUSED',
    `${what} needs a disk of ${formatSize(Math.ceil(neededBytes / MIB) * MIB)}; ${formatSize(after)} would cut it`,
    {
      hint: 'Make it smaller in the guest first, or choose a larger size.',
      details: { neededBytes },
    },
  )
}

/** Without a table or a file system that says where it ends, all that holds data counts. */
async function requireUnused(workspace: Workspace, { layers, virtualSize }: Chain, after: number): Promise<void> {
  const { processes, signal } = workspace.outside
  const tool = { processes, signal, file: layers[0]?.file ?? '', maxFileBytes: 0, diskBytes: virtualSize }
  const args = ['map', '--output=json', `--start-offset=${after}`, describeNode(layers, { isHeld: true })]
  const { stdout } = await needTool('qemu-img', args, tool)
  const extents = JSON.parse(stdout) as readonly { start: number; zero: boolean; data: boolean }[]
  const used = extents.find(({ zero, data }) => data && !zero)
  if (used === undefined) return
  throw new VmpkgError('RESIZE_REFUSED', `There is data behind byte ${after}, and no partition table says what it is`, {
    hint: 'vmpkg image compact first drops what is only zeros; else choose a larger size.',
    details: { firstDataAt: used.start },
  })
}

function stepsInGuest({ kind, partitions }: DiskContents): readonly string[] {
  const last = partitions.toSorted((a, b) => b.end - a.end)[0]
  if (last !== undefined) {
    return [
      `Grow the last partition: growpart /dev/vda ${last.number} (or parted, or Windows’ disk management)`,
      'Then what is on it: resize2fs, xfs_growfs, btrfs filesystem resize max, or pvresize and lvextend',
    ]
  }
  if (kind === 'ext') return ['Grow the file system: resize2fs /dev/vda']
  if (kind === 'xfs') return ['Grow the file system, mounted: xfs_growfs PATH']
  if (kind === 'btrfs') return ['Grow the file system, mounted: btrfs filesystem resize max PATH']
  if (kind === 'damaged gpt') return ['Repair the partition table: gdisk /dev/vda']
  if (kind === 'whole disk') return ['Grow what is on the disk: cryptsetup resize, pvresize or mkswap']
  return []
}
