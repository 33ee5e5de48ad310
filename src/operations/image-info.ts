/** `image info`: what an image is, read from its headers: no file below it is opened, and a running guest does not mind. */
import { VmpkgError } from '../errors.ts'
import { readChain } from '../image/backing-chain.ts'
import { verifyForeignHeader } from '../image/foreign-header.ts'
import { type DiskContents, readDiskContents } from '../image/partition-table.ts'
import { parseQcow2Header, type Qcow2Header } from '../image/qcow2-header.ts'
import { readEnds } from '../image/to-raw.ts'
import { findDiskUsers } from './disk-users.ts'
import { readDiskHead } from './image-contents.ts'
import { findImage, type ImageChoice } from './image-file.ts'
import type { Workspace } from './workspace.ts'

export interface ImageInfo {
  readonly file: string
  readonly format: string
  /** Of the guest's disk. */
  readonly virtualSize: number
  /** Of the file, holes included. */
  readonly fileBytes: number
  /** That the file takes on its disk. */
  readonly diskBytes: number
  readonly qcow2?: {
    readonly version: number
    readonly clusterBytes: number
    readonly backingFile: string | undefined
    readonly backingFormat: string | undefined
    readonly snapshots: number
    readonly isDirty: boolean
    readonly isCorrupt: boolean
  }
  /** Absent where it would have to be read from another file. */
  readonly contents?: DiskContents
  /** Domains that need it. */
  readonly users: readonly { readonly name: string; readonly isRunning: boolean }[]
  /** Of an image of an installed package. */
  readonly package?: { readonly name: string; readonly version: string; readonly role: string; readonly digest: string }
}

/**
 * @param backing also reads what the image stands on
 * @throws {VmpkgError} `USAGE` `PACKAGE_NOT_INSTALLED` `IMAGE_INVALID` `IMAGE_DAMAGED`
 */
export async function imageInfo(
  workspace: Workspace,
  request: ImageChoice & { readonly backing: boolean },
): Promise<ImageInfo> {
  const image = await findImage(workspace, request)
  const { path, format, stats } = image
  const ends = await readEnds(path)
  const virtualSize = verifyForeignHeader(format, ends, { backing: true, blemishes: true })
  const header = format === 'qcow2' ? parseQcow2Header(ends.head) : undefined
  const isWhole = header?.backingFile === undefined || request.backing
  const contents = isWhole ? await readContents(workspace, image, request.backing) : undefined
  const users = await findDiskUsers(workspace, path)
  return {
    file: path,
    format,
    virtualSize,
    fileBytes: stats.size,
    diskBytes: stats.blocks * 512,
    ...(header === undefined ? {} : { qcow2: describeHeader(header) }),
    ...(contents === undefined ? {} : { contents }),
    users: users.map(({ name, isRunning }) => ({ name, isRunning })),
    ...(image.package === undefined
      ? {}
      : {
          package: {
            name: image.package.name,
            version: image.package.version,
            role: image.package.image.role,
            digest: image.package.image.digest,
          },
        }),
  }
}

/** An image that is not to be read can still be described. */
async function readContents(
  workspace: Workspace,
  image: { readonly path: string; readonly format: Parameters<typeof readChain>[0]['format'] },
  follow: boolean,
): Promise<DiskContents | undefined> {
  const layer = { file: image.path, format: image.format }
  const chain = await readChain(layer, { follow, allowed: { blemishes: true } })
  try {
    return readDiskContents(await readDiskHead(workspace, chain, { isHeld: false }))
  } catch (error) {
    if (!(error instanceof VmpkgError) || error.code === 'ABORTED') throw error
    const { code, message } = error
    workspace.outside.emit({ type: 'warned', code, message })
    return undefined
  }
}

function describeHeader(header: Qcow2Header): NonNullable<ImageInfo['qcow2']> {
  return {
    version: header.version,
    clusterBytes: 2 ** header.clusterBits,
    backingFile: header.backingFile,
    backingFormat: header.backingFormat,
    snapshots: header.snapshotCount,
    isDirty: (header.incompatibleFeatures & 1n) !== 0n,
    isCorrupt: (header.incompatibleFeatures & 2n) !== 0n,
  }
}
