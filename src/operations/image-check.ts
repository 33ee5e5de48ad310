/** `image check`: whether an image is sound: its tables by QEMU, and a signed one by every byte. Nothing is repaired. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { VmpkgError } from '../errors.ts'
import { verifyForeignHeader } from '../image/foreign-header.ts'
import { parseQcow2Header } from '../image/qcow2-header.ts'
import { describeNode } from '../image/qemu-node.ts'
import { explainFailure, runTool } from '../image/qemu-tool.ts'
import { readEnds } from '../image/to-raw.ts'
import { namingUser } from './disk-users.ts'
import { findImage, type ImageChoice, type ImageFile } from './image-file.ts'
import type { Workspace } from './workspace.ts'

export interface ImageCheck {
  readonly file: string
  readonly format: string
  readonly isSound: boolean
  /** One sentence each; nothing that is worth knowing without being wrong. */
  readonly faults: readonly string[]
  readonly notes: readonly string[]
  /** Bytes of clusters that nothing uses. */
  readonly leakedBytes: number
}

/** @throws {VmpkgError} `USAGE` `PACKAGE_NOT_INSTALLED` `IMAGE_INVALID` `IMAGE_IN_USE` `IMAGE_DAMAGED` `TOOL_MISSING` `ABORTED` */
export async function imageCheck(workspace: Workspace, request: ImageChoice): Promise<ImageCheck> {
  const image = await findImage(workspace, request)
  const { path, said, format } = image
  workspace.outside.emit({ type: 'stage-started', stage: 'verify', subject: said })
  const ends = await readEnds(path)
  verifyForeignHeader(format, ends, { backing: true, blemishes: true })
  const result = { file: path, format, isSound: true, faults: [], notes: [], leakedBytes: 0 }
  if (image.package !== undefined) return checkDigest(workspace, image, result)
  if (format === 'raw' || format === 'iso') {
    return {
      ...result,
      notes: [`A ${format} image has no tables that could be wrong; only its digest could tell more`],
    }
  }
  const report = await namingUser(workspace, image, async () => checkTables(workspace, image))
  const count = (name: string): number => (typeof report[name] === 'number' ? report[name] : 0)
  const faults: string[] = []
  const notes: string[] = []
  if (count('corruptions') > 0) faults.push(`${count('corruptions')} entries of its tables are wrong`)
  if (count('check-errors') > 0) faults.push(`${count('check-errors')} of its parts could not be checked`)
  const clusterBytes = format === 'qcow2' ? 2 ** parseQcow2Header(ends.head).clusterBits : 0
  const leakedBytes = count('leaks') * clusterBytes
  if (leakedBytes > 0)
    notes.push(`${count('leaks')} clusters are taken and nothing uses them; vmpkg image compact frees them`)
  return { ...result, isSound: faults.length === 0, faults, notes, leakedBytes }
}

/** What `qemu-img check` says, whatever it thinks of it. */
async function checkTables(
  workspace: Workspace,
  { path, format }: ImageFile,
): Promise<Readonly<Record<string, unknown>>> {
  const { processes, signal } = workspace.outside
  const args = ['check', '--output=json', describeNode([{ file: path, format }])]
  const checked = await runTool('qemu-img', args, { processes, signal, file: path, maxFileBytes: 0 })
  // 2: it is corrupt; 3: clusters that nobody uses.
  if (![0, 2, 3].includes(checked.exitCode)) throw explainFailure('qemu-img', path, checked)
  try {
    return JSON.parse(checked.stdout) as Readonly<Record<string, unknown>>
  } catch {
    throw explainFailure('qemu-img', path, checked)
  }
}

async function checkDigest(workspace: Workspace, image: ImageFile, result: ImageCheck): Promise<ImageCheck> {
  const { signal } = workspace.outside
  const hash = createHash('sha256')
  for await (const piece of createReadStream(image.path, { highWaterMark: 1024 * 1024 })) {
    if (signal.aborted) throw new VmpkgError('ABORTED', `The check of ${image.said} was interrupted`)
    hash.update(piece as Buffer)
  }
  if (hash.digest('hex') === image.package?.image.digest)
    return { ...result, notes: ['Every byte is as it was signed'] }
  return { ...result, isSound: false, faults: ['It is not what was signed; vmpkg verify --full --fix repairs it'] }
}
