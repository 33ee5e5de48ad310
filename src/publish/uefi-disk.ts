/**
 * A disk that UEFI boots by itself: GPT, an EFI system partition with one unified kernel image at the fallback path, and
 * an ext4 root. Written into one sparse file at offsets: no loop device, no mount, no root.
 * Sources: the UEFI specification, sections 5 and 13.3 (GPT, FAT); partition types of the UAPI group's Discoverable
 * Partitions Specification.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildTools, runTool } from './build-tool.ts'
import { makeExt4At, makeSparseFile, uuidFrom } from './filesystem.ts'
import type { Ownerships } from './ownership.ts'
import { setTreeTimes } from './tree-times.ts'

const MIB = 1024 * 1024
const SECTOR = 512
const ESP_OFFSET = MIB
/** FAT32 with clusters of one sector needs 33 MiB; kernel and initrd take 16. */
const ESP_BYTES = 64 * MIB
export const ROOT_OFFSET = ESP_OFFSET + ESP_BYTES
/** The second table at the end, and whole MiB for the root. */
const TAIL_BYTES = MIB
const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'
const ROOT_TYPE = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709'

/** What the kernel must be told about this layout on a virtio disk. */
export const ROOT_ARGUMENTS = 'root=/dev/vda2 rootfstype=ext4 rw'

/** Writes `target`. `identity` names package and version: every identifier on the disk is derived from it. */
export async function makeUefiDisk(
  tools: BuildTools,
  options: {
    readonly kernelImage: string
    readonly root: string
    readonly ownerships: Ownerships
    readonly identity: string
    readonly label: string
    readonly sizeBytes: number
    readonly work: string
    readonly target: string
  },
): Promise<void> {
  const { identity, target, sizeBytes } = options
  const rootBytes = sizeBytes - ROOT_OFFSET - TAIL_BYTES
  await makeSparseFile(target, sizeBytes)
  await runTool(tools, 'sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', target], {
    input: [
      'label: gpt',
      `label-id: ${uuidFrom(`${identity} disk`)}`,
      partition(ESP_OFFSET, ESP_BYTES, ESP_TYPE, uuidFrom(`${identity} esp`), 'esp'),
      partition(ROOT_OFFSET, rootBytes, ROOT_TYPE, uuidFrom(`${identity} partition`), 'root'),
      '',
    ].join('\n'),
  })
  await makeEsp(tools, options)
  await makeExt4At(tools, {
    root: options.root,
    target,
    offset: ROOT_OFFSET,
    sizeBytes: rootBytes,
    uuid: uuidFrom(`${identity} root`),
    label: options.label,
    ownerships: options.ownerships,
  })
}

function partition(offset: number, bytes: number, type: string, uuid: string, name: string): string {
  return `start=${offset / SECTOR}, size=${bytes / SECTOR}, type=${type}, uuid=${uuid}, name=${name}`
}

async function makeEsp(
  tools: BuildTools,
  { kernelImage, identity, work, target }: Parameters<typeof makeUefiDisk>[1],
): Promise<void> {
  const volumeId = createHash('sha256').update(`${identity} esp`).digest('hex').slice(0, 8)
  const format = ['--invariant', '-F', '32', '-s', '1', '-n', 'ESP', '-i', volumeId]
  format.push(`--offset=${ESP_OFFSET / SECTOR}`, target, String(ESP_BYTES / 1024))
  await runTool(tools, 'mkfs.vfat', format)
  const tree = join(work, 'esp')
  const program = join(tree, 'EFI/BOOT/BOOTX64.EFI')
  await mkdir(dirname(program), { recursive: true })
  await copyFile(kernelImage, program)
  await setTreeTimes(tree, tools.epoch)
  const image = `${target}@@${ESP_OFFSET}`
  // -m takes the files' times; the folders' own come from SOURCE_DATE_EPOCH.
  await runTool(tools, 'mcopy', ['-i', image, '-s', '-m', '-Q', join(tree, 'EFI'), '::'])
}
