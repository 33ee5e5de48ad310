/** What is on a guest's disk, seen through the format of its file. */
import { constants } from 'node:fs'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Chain } from '../image/backing-chain.ts'
import { DISK_HEAD_BYTES } from '../image/partition-table.ts'
import { describeNode } from '../image/qemu-node.ts'
import { needTool } from '../image/qemu-tool.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

/** The first bytes of the disk, also while others write to it. @throws {VmpkgError} `IMAGE_INVALID` */
export async function readDiskHead(
  workspace: Workspace,
  { layers, virtualSize }: Chain,
  { isHeld }: { readonly isHeld: boolean },
): Promise<Buffer> {
  const [top] = layers
  if (top === undefined) return Buffer.alloc(0)
  const size = Math.min(virtualSize, DISK_HEAD_BYTES)
  if (top.format === 'raw' || top.format === 'iso') {
    await using file = await open(top.file, constants.O_RDONLY | constants.O_NOFOLLOW)
    return (await file.read(Buffer.alloc(size), 0, size, 0)).buffer
  }
  const work = scratchFolder(workspace)
  await mkdir(work, { recursive: true, mode: 0o700 })
  const target = join(work, 'head')
  const slice = { offset: 0, size: Math.floor(size / 512) * 512 }
  try {
    const { processes, signal } = workspace.outside
    const tool = { processes, signal, file: top.file, maxFileBytes: DISK_HEAD_BYTES }
    await needTool('qemu-img', ['convert', '-U', '-O', 'raw', describeNode(layers, { isHeld, slice }), target], tool)
    return await readFile(target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
