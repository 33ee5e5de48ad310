/**
 * `image compact`: what the guest sees stays, what the file takes on the disk of the host shrinks. A raw file gets holes
 * where it is zero, in its place; of a qcow2 file a new one is written without unused and empty clusters, which then takes
 * its name. QEMU's lock on the file is held all the time, so that nobody writes to the old one meanwhile.
 */
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import { readChain } from '../image/backing-chain.ts'
import { whileHeld } from '../image/image-lock.ts'
import { parseQcow2Header } from '../image/qcow2-header.ts'
import { largestFile, measureNeeded } from '../image/qemu-measure.ts'
import { describeNode } from '../image/qemu-node.ts'
import { needTool, percentReader, runTool } from '../image/qemu-tool.ts'
import { readEnds } from '../image/to-raw.ts'
import { findDiskUsers, namingUser, requireStopped } from './disk-users.ts'
import { findImage, type ImageChoice, type ImageFile, requireOwn } from './image-file.ts'
import { writeOutput } from './output-file.ts'
import type { Workspace } from './workspace.ts'

export interface CompactRequest extends ImageChoice {
  readonly compress: boolean
  readonly dryRun: boolean
}

export interface CompactResult {
  readonly file: string
  readonly format: string
  /** On the disk of the host. */
  readonly beforeBytes: number
  /** Of a dry run: what it would take at most. */
  readonly afterBytes: number
}

/**
 * @throws {VmpkgError} `USAGE` `IMAGE_INVALID` `IMAGE_IN_USE` `IMAGE_READ_ONLY` `NO_SPACE` `HOST_UNSUPPORTED` `TOOL_MISSING`
 *   `ABORTED`; the file is then as it was
 */
export async function imageCompact(workspace: Workspace, request: CompactRequest): Promise<CompactResult> {
  const image = await findImage(workspace, request)
  const { path, said, format } = image
  await requireOwn(workspace, image)
  if (format !== 'raw' && format !== 'qcow2') {
    throw new VmpkgError('USAGE', `A ${format} image cannot be made smaller in its place`, {
      hint: `Write a new one: vmpkg image convert ${said} disk.qcow2.`,
    })
  }
  if (format === 'raw' && request.compress) {
    throw new VmpkgError('USAGE', 'raw has no compression', {
      hint: `Convert it: vmpkg image convert ${said} disk.qcow2 --compress.`,
    })
  }
  requireStopped(said, await findDiskUsers(workspace, path))
  const { processes, signal } = workspace.outside
  return namingUser(workspace, image, async () =>
    whileHeld({ file: path, processes, signal }, async () =>
      format === 'raw' ? digHoles(workspace, image, request) : rewrite(workspace, image, request),
    ),
  )
}

async function digHoles(workspace: Workspace, image: ImageFile, { dryRun }: CompactRequest): Promise<CompactResult> {
  const { processes, signal, emit } = workspace.outside
  const { path, said, stats } = image
  const beforeBytes = (await stat(path)).blocks * 512
  const result = { file: path, format: image.format, beforeBytes }
  if (dryRun) return { ...result, afterBytes: beforeBytes }
  emit({ type: 'stage-started', stage: 'compact', subject: said })
  const tool = { processes, signal, file: path, maxFileBytes: stats.size, diskBytes: stats.size }
  const dug = await runTool('fallocate', ['--dig-holes', path], tool)
  if (dug.exitCode !== 0) {
    const reason = JSON.stringify(dug.stderr.trim().split('\n').at(-1)?.slice(-200) ?? '')
    throw new VmpkgError('HOST_UNSUPPORTED', `${said} cannot get holes where it is: ${reason}`, {
      hint: `Copy it without its zeros: vmpkg image convert ${said} OUT.`,
    })
  }
  return { ...result, afterBytes: (await stat(path)).blocks * 512 }
}

async function rewrite(
  workspace: Workspace,
  image: ImageFile,
  { compress, dryRun }: CompactRequest,
): Promise<CompactResult> {
  const { processes, signal, emit } = workspace.outside
  const { path, said, stats } = image
  if (stats.nlink > 1) {
    throw new VmpkgError('USAGE', `${said} has ${stats.nlink} names, and a new file would get only one of them`, {
      hint: 'Write a new one (vmpkg image convert), and link that.',
    })
  }
  const { layers, virtualSize } = await readChain({ file: path, format: 'qcow2' }, { follow: false })
  const { head } = await readEnds(path)
  const { clusterBits, version } = parseQcow2Header(head)
  const tool = { processes, signal, file: path, diskBytes: virtualSize }
  const beforeBytes = stats.blocks * 512
  const node = describeNode(layers, { isHeld: true })
  const neededBytes = await measureNeeded(node, 'qcow2', tool)
  const result = { file: path, format: image.format, beforeBytes }
  if (dryRun) return { ...result, afterBytes: Math.min(beforeBytes, neededBytes) }
  if (!compress) await checkSpace(dirname(path), neededBytes)
  emit({ type: 'stage-started', stage: 'compact', subject: said })
  const hasBitmaps = version === 3 && (head.readBigUInt64BE(88) & 1n) === 1n
  const args = [
    'convert',
    '-p',
    '-U',
    '-O',
    'qcow2',
    '-S',
    '4k',
    '-o',
    optionsFor(clusterBits, version, compress),
    ...(compress ? ['-c'] : []),
    ...(hasBitmaps ? ['--bitmaps', '--skip-broken-bitmaps'] : []),
    node,
  ]
  let afterBytes = beforeBytes
  const { uid, gid } = stats
  await writeOutput(
    {
      target: path,
      replace: true,
      mode: stats.mode & 0o7777,
      owner: { uid, gid },
      isWorthIt: async (temporary) => {
        const { blocks } = await stat(temporary)
        const isSmaller = blocks * 512 < beforeBytes
        if (isSmaller) afterBytes = blocks * 512
        return isSmaller
      },
    },
    async (temporary) => {
      const progress = { type: 'image-progressed', subject: said, totalBytes: virtualSize } as const
      await needTool('qemu-img', [...args, temporary], {
        ...tool,
        maxFileBytes: largestFile(virtualSize),
        onOutput: percentReader((share) => emit({ ...progress, doneBytes: Math.floor(share * virtualSize) })),
      })
    },
  )
  return { ...result, afterBytes }
}

function optionsFor(clusterBits: number, version: number, compress: boolean): string {
  const compression = compress && version === 3 ? ',compression_type=zstd' : ''
  return `cluster_size=${2 ** clusterBits},compat=${version === 3 ? '1.1' : '0.10'}${compression}`
}
