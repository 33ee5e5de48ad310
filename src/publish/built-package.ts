/**
 * The folder that a build leaves (formats 3.7): `package/` as shipped, `images.json`, `images/<role>` raw files. It is the
 * publisher's own, yet everything that goes into the signed line is checked, and secrets are refused (threats P05).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { openPackage, type PackageContents } from '../archive/load-package.ts'
import { readPackageFolder } from '../archive/read-folder.ts'
import { writeArchive } from '../archive/write.ts'
import { VmpkgError } from '../errors.ts'
import type { Sha256 } from '../model/digest.ts'
import type { ImageRole } from '../model/line.ts'
import { checkVerity, imageRole, verityRoot } from '../model/line-schema.ts'
import { count, parseShape, sha256Text } from '../model/shape.ts'
import { refuseUnlisted } from './package-files.ts'
import { refuseSecrets } from './secrets.ts'

export interface BuiltImage {
  readonly role: ImageRole
  readonly digest: Sha256
  /** Bytes. */
  readonly size: number
  readonly verityRoot?: string
  /** Digest of the disk that it is a layer on. */
  readonly parent?: Sha256
  /** Absolute path of the raw file. */
  readonly file: string
}

export interface BuiltPackage {
  readonly contents: PackageContents
  readonly archive: Uint8Array
  /** Files in the archive, for the publisher to look over. */
  readonly listing: readonly { readonly path: string; readonly size: number }[]
  readonly images: readonly BuiltImage[]
}

const imageList = z
  .array(
    z
      .object({
        role: imageRole,
        format: z.literal('raw'),
        digest: sha256Text,
        size: count,
        file: z.string(),
        verityRoot: verityRoot.exactOptional(),
        parent: sha256Text.exactOptional(),
      })
      .superRefine(checkVerity)
      .refine((one) => one.file === `images/${one.role}`, { path: ['file'], message: 'not images/<role>' }),
  )
  .max(16)

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `MANIFEST_INVALID` `SECRET_REFUSED` */
export async function readBuiltPackage(folder: string): Promise<BuiltPackage> {
  const list = await readJson(join(folder, 'images.json')) // first: a folder that is no package has none
  try {
    return await readParts(folder, list)
  } catch (error) {
    if (!(error instanceof VmpkgError) || error.message.includes(folder)) throw error
    const { code, message, hint, details } = error
    throw new VmpkgError(code, `${folder}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error.cause,
      details,
    })
  }
}

async function readParts(folder: string, list: unknown): Promise<BuiltPackage> {
  const files = await readPackageFolder(join(folder, 'package'))
  refuseSecrets(files)
  const contents = openPackage(files)
  refuseUnlisted(files.keys(), contents.manifest)
  const failure = { code: 'ARCHIVE_INVALID', subject: `${JSON.stringify(folder)}: images.json` } as const
  const images = parseShape(imageList, list, failure)
  return {
    contents,
    archive: writeArchive(files),
    listing: [...files]
      .map(([path, { bytes }]) => ({ path, size: bytes.length }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    images: images.map(({ format: _format, file, ...image }) => ({ ...image, file: join(folder, file) })),
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new VmpkgError('ARCHIVE_INVALID', `Cannot read ${JSON.stringify(path)}`, {
      hint: 'Name the folder that `vmpkg build` made.',
      cause: error,
    })
  }
}
