/**
 * What the `image` verbs work on: a file of the user's own, or an image of an installed package, which can be read and is
 * never changed. Formats are named, not guessed; what a file stands on is read only for those who say so (threats A07, A08).
 */
import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, resolve, sep } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { decideFormat, formatsByName, type ImageFormat, parseImageFormat } from '../image/format.ts'
import { ImageStore } from '../image/store.ts'
import { readEnds } from '../image/to-raw.ts'
import type { PackageImage } from '../model/line.ts'
import { isPackageName } from '../model/name.ts'
import type { Workspace } from './workspace.ts'

export interface ImageFile {
  /** Real path. */
  readonly path: string
  /** As the user named it. */
  readonly said: string
  readonly format: ImageFormat
  readonly stats: Stats
  /** Where it is an image of an installed package. */
  readonly package?: { readonly name: string; readonly version: string; readonly image: PackageImage }
}

export interface ImageChoice {
  /** `PACKAGE` or `PACKAGE:ROLE` of an installed one, else a file: `./NAME` is always one. */
  readonly image: string
  /** Where the name does not say it. */
  readonly format?: string | undefined
}

/** @throws {VmpkgError} `USAGE` `PACKAGE_NOT_INSTALLED` `IMAGE_INVALID` `IMAGE_DAMAGED` */
export async function findImage(workspace: Workspace, choice: ImageChoice): Promise<ImageFile> {
  const [name = '', role, ...more] = choice.image.split(':')
  const isInstalled = isPackageName(name) && more.length === 0 && workspace.installed.find(name) !== undefined
  if (isInstalled) return findPackageImage(workspace, name, role)
  const { path, stats } = await findFile(workspace, choice.image)
  const { compression } = formatsByName(path)
  if (compression !== undefined && choice.format === undefined) {
    throw new VmpkgError('USAGE', `${JSON.stringify(choice.image)} is compressed`, {
      hint: 'Only vmpkg image convert and vmpkg import unpack it.',
    })
  }
  const { head } = await readEnds(path)
  return { path, said: choice.image, stats, format: chooseFormat(head, choice.image, choice.format) }
}

/** A file that is there. @throws {VmpkgError} `USAGE` */
export async function findFile(workspace: Workspace, said: string): Promise<{ path: string; stats: Stats }> {
  try {
    const path = await realpath(resolve(workspace.folder, said))
    const stats = await stat(path)
    if (stats.isFile()) return { path, stats }
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemErrorCode(error) ?? '')) throw error
  }
  throw new VmpkgError(
    'USAGE',
    `There is no file ${JSON.stringify(said.slice(0, 200))}, and no such package installed`,
    {
      hint: 'vmpkg list --installed shows the packages; their images are PACKAGE:ROLE.',
    },
  )
}

/** The declared format, or the one that the name says; the first bytes may only contradict it. */
export function chooseFormat(head: Buffer, name: string, declared: string | undefined): ImageFormat {
  const format = declared === undefined ? undefined : parseImageFormat(declared)
  return decideFormat(head, { declared: format, name: basename(name) })
}

async function findPackageImage(workspace: Workspace, name: string, role: string | undefined): Promise<ImageFile> {
  const { line } = workspace.installed.get(name)
  const roles = line.images.map((image) => image.role)
  const chosen = line.images.filter((image) => role === undefined || image.role === role)
  const [image] = chosen
  if (image === undefined || chosen.length > 1) {
    const fact =
      role === undefined ? `${name} has ${roles.length} images` : `${name} has no image ${JSON.stringify(role)}`
    const hint =
      roles.length === 0 ? 'It brings no disk.' : `Name one: ${roles.map((one) => `${name}:${one}`).join(', ')}`
    throw new VmpkgError('USAGE', fact, { hint })
  }
  const store = new ImageStore(workspace.paths.images)
  if (!(await store.has(image))) {
    throw new VmpkgError('IMAGE_DAMAGED', `Image ${image.role} of ${name} is missing from the store or damaged`)
  }
  const path = await realpath(store.pathOf(image.digest))
  const said = `${name}:${image.role}`
  return { path, said, format: 'raw', stats: await stat(path), package: { name, version: line.version, image } }
}

/** @throws {VmpkgError} `IMAGE_READ_ONLY` for what belongs to vmpkg */
export async function requireOwn(
  { paths }: Workspace,
  { path, said, ...image }: Pick<ImageFile, 'path' | 'said' | 'package'>,
): Promise<void> {
  if (image.package !== undefined || isBelow(path, await realOr(paths.images))) {
    throw new VmpkgError('IMAGE_READ_ONLY', `${said} is a signed image of vmpkg’s store, and machines stand on it`, {
      hint: `Make a machine from it (vmpkg clone ${image.package?.name ?? 'PACKAGE'}), or a file of your own (vmpkg image convert ${said} FILE).`,
    })
  }
  if (isBelow(path, await realOr(paths.state))) {
    throw new VmpkgError('IMAGE_READ_ONLY', `${said} belongs to a machine of vmpkg`, {
      hint: 'vmpkg ps lists the machines; a file of your own: vmpkg image convert FILE OUT --backing.',
    })
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder + sep)
}

async function realOr(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}
