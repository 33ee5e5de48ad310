/**
 * A package as the rest of the program sees it: the manifest, the templates, and the files meant for the guest; from an
 * archive's files or from the folder it was unpacked to. Bounded by the entry policy; the manifest is checked anew.
 */
import { VmpkgError } from '../errors.ts'
import type { Manifest } from '../model/manifest.ts'
import { parseManifest } from '../model/manifest-schema.ts'
import { readPackageFolder } from './read-folder.ts'
import { type ArchiveFiles, MANIFEST_PATH } from './write.ts'

export interface PackageContents {
  readonly manifest: Manifest
  /** Text of every `.hbs` file outside the guest folder, by path below the package. */
  readonly templates: ReadonlyMap<string, string>
  /** Bytes of every file of the guest folder, by path below that folder. */
  readonly guestFiles: ReadonlyMap<string, Uint8Array>
}

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `MANIFEST_INVALID` */
export async function loadPackage(folder: string): Promise<PackageContents> {
  return openPackage(await readPackageFolder(folder))
}

/** @throws {VmpkgError} `ARCHIVE_INVALID` `MANIFEST_INVALID` */
export function openPackage(files: ArchiveFiles): PackageContents {
  const manifest = parseManifest(readText(files, MANIFEST_PATH))
  const guestFolder = manifest.guest === undefined ? undefined : `${manifest.guest.files.replace(/\/$/, '')}/`
  const isForGuest = (path: string) => guestFolder !== undefined && path.startsWith(guestFolder)
  const templates = [...files.keys()].filter((path) => path.endsWith('.hbs') && !isForGuest(path))
  for (const path of Object.values(manifest.templates)) {
    if (path === undefined || templates.includes(path)) continue
    throw new VmpkgError(
      'MANIFEST_INVALID',
      `The manifest names ${JSON.stringify(path)}, which is not in the package`,
      {
        details: { problems: [{ path: 'templates', problem: `${path} is not in the package` }] },
      },
    )
  }
  return {
    manifest,
    templates: new Map(templates.map((path) => [path, readText(files, path)] as const)),
    guestFiles: new Map(
      [...files]
        .filter(([path]) => isForGuest(path))
        .map(([path, { bytes }]) => [path.slice(guestFolder?.length), bytes] as const),
    ),
  }
}

function readText(files: ArchiveFiles, path: string): string {
  const file = files.get(path)
  if (file === undefined) throw new VmpkgError('ARCHIVE_INVALID', `The package has no ${path}`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file.bytes)
  } catch (error) {
    throw new VmpkgError('ARCHIVE_INVALID', `${JSON.stringify(path)} is not UTF-8`, { cause: error })
  }
}
