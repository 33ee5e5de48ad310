/**
 * Package archives on this host: kept as the very file that was signed, and read through its digest each time, so that
 * what was verified is what is used.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openPackage as openFiles, type PackageContents } from '../archive/load-package.ts'
import { readArchive } from '../archive/read.ts'
import type { ArchiveFiles } from '../archive/write.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import type { Sha256 } from '../model/digest.ts'
import type { PackageLine } from '../model/line.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Workspace } from './workspace.ts'

export interface LoadedPackage extends PackageContents {
  readonly line: PackageLine
}

/** Where a package's archive is or would be. */
export function archiveFile(workspace: Workspace, line: PackageLine): string {
  return archivePath(workspace, line.package.sha256)
}

function archivePath({ paths }: Workspace, digest: Sha256): string {
  return join(paths.packages, `${digest}.vmpkg`)
}

/** The manifest in the archive of that digest; `undefined` when this host no longer has it, or has it damaged. */
export async function findManifest(workspace: Workspace, digest: Sha256): Promise<Manifest | undefined> {
  try {
    const archive = await readFile(archivePath(workspace, digest))
    return openFiles(await readArchive(archive, { sha256: digest, size: archive.length })).manifest
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || isVmpkgError(error)) return undefined
    throw error
  }
}

/** All files of the archive of that digest. @throws {VmpkgError} `STATE_INVALID` when it is gone, `ARCHIVE_INVALID` */
export async function readPackageFiles(workspace: Workspace, digest: Sha256): Promise<ArchiveFiles> {
  const archive = await readFile(archivePath(workspace, digest)).catch((cause: unknown) => {
    throw new VmpkgError('STATE_INVALID', `The archive ${digest.slice(0, 12)}… is gone from this host`, { cause })
  })
  return readArchive(archive, { sha256: digest, size: archive.length })
}

/**
 * Names of files that belong to no installed package of any connection, to no download and to nothing else that holds
 * them, unfinished ones included. The caller holds the lock. @param without holders that do not count
 */
export async function listUnusedArchives(
  { paths, installed, archiveReferences }: Workspace,
  leased: ReadonlySet<string>,
  without: readonly string[] = [],
): Promise<readonly string[]> {
  const needed = [...installed.archives(), ...archiveReferences.referenced(without)]
  const used = new Set(needed.map((digest) => `${digest}.vmpkg`))
  const names = await readdir(paths.packages)
  const present = new Set(names)
  const isUsed = (name: string): boolean => {
    if (used.has(name)) return true
    const digest = name.slice(0, name.indexOf('.'))
    const isLeft = name !== `${digest}.vmpkg` && present.has(`${digest}.vmpkg`) // by a killed fetch, after it was complete
    return leased.has(digest) && !isLeft
  }
  return names.filter((name) => !isUsed(name)).toSorted()
}

/**
 * @throws {VmpkgError} `DIGEST_MISMATCH` `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `MANIFEST_INVALID`, `STATE_INVALID` when
 *   the file is gone
 */
export async function loadPackage(workspace: Workspace, line: PackageLine): Promise<LoadedPackage> {
  const archive = await readFile(archiveFile(workspace, line)).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause
    throw new VmpkgError('STATE_INVALID', `The archive of ${line.name} ${line.version} is gone from this host`, {
      hint: `vmpkg install --reinstall ${line.name} brings it back.`,
      cause,
    })
  })
  return openPackage(line, archive)
}

/** The archive's content, whose manifest must say what the signed line says. */
async function openPackage(line: PackageLine, archive: Uint8Array): Promise<LoadedPackage> {
  const contents = openFiles(await readArchive(archive, line.package))
  if (signedFacts(contents.manifest) !== signedFacts(line)) {
    throw new VmpkgError(
      'ARCHIVE_INVALID',
      `The manifest in the archive of ${line.name} ${line.version} contradicts its signed line`,
      { hint: 'Do not use it; tell the publisher.' },
    )
  }
  return { ...contents, line }
}

/** What both the manifest and the signed line state, in one spelling. */
function signedFacts(facts: PackageLine | Manifest): string {
  const { name, version, arch, kind, summary, layer, depends, capabilities } = facts
  const shared = { name, version, arch, kind, summary, depends, capabilities }
  return formatCanonicalJson(layer === undefined ? shared : { ...shared, layer })
}
