/**
 * A place that a registry is published to, seen through the few things that a folder, an sftp server, an rsync server and
 * a bucket all can do (formats 1.1, 1.2). Readers of a plain static server over it see every file whole or not at all.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { findRegistryFile } from './registry-folder.ts'

/** Paths are below the registry: `envelope.json`, `root/1.json`, `blob/<sha256>`. */
export interface PublishTarget extends AsyncDisposable {
  /** For messages and JSON; holds no secret. */
  readonly name: string
  /** Bytes of those of the files that are there. */
  sizes(paths: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Paths of the files directly in the folders; none for a folder that is not there. */
  list(folders: readonly string[]): Promise<readonly string[]>
  /** Copies those of the files that are there into a folder of this host. */
  fetch(files: readonly FetchedFile[], folder: string): Promise<void>
  /** Uploads files that must never change and makes sure that they are there; a reader never sees a part of one. */
  store(folder: string, paths: readonly string[], onStored: (path: string) => void): Promise<void>
  remove(paths: readonly string[]): Promise<void>
  /**
   * Replaces the envelope, if it is still the one that was read (`undefined`: none).
   * @throws {VmpkgError} `REGISTRY_CHANGED` where another publisher was faster
   */
  swapEnvelope(before: Uint8Array | undefined, after: Uint8Array): Promise<void>
}

export interface FetchedFile {
  readonly path: string
  readonly maxBytes: number
}

/** Brings files from where a registry lies into the folder in which it is changed; what is not there stays away. */
export type BringFiles = (files: readonly FetchedFile[]) => Promise<void>

/** One file as bytes; `undefined` where it is not there. @throws {VmpkgError} `TARGET_FAILED` `REGISTRY_INVALID` */
export async function readFromTarget(
  target: Pick<PublishTarget, 'fetch'>,
  file: FetchedFile,
): Promise<Uint8Array | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-read-'))
  try {
    await target.fetch([file], folder)
    return await findRegistryFile(folder, file.path, file.maxBytes)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function targetFailed(name: string, what: string, reason: string, cause?: unknown): VmpkgError {
  const text = reason.trim().split('\n').slice(-3).join(' ').slice(0, 300)
  return new VmpkgError('TARGET_FAILED', `${name}: cannot ${what}${text === '' ? '' : `: ${text}`}`, {
    hint: 'Nothing that readers see was changed; what was uploaded is used again by the next run.',
    cause,
  })
}

export function registryChanged(name: string): VmpkgError {
  return new VmpkgError('REGISTRY_CHANGED', `${name} changed while it was being published to`, {
    hint: 'Run the command again; it begins with the new state.',
  })
}

/** What was fetched may be more than was asked for. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function refuseLarge(name: string, files: readonly FetchedFile[], folder: string): Promise<void> {
  for (const { path, maxBytes } of files) {
    const found = await stat(join(folder, path)).catch(() => undefined)
    if (found !== undefined && found.size > maxBytes) throw tooLarge(name, path, found.size)
  }
}

export function tooLarge(name: string, path: string, size: number): VmpkgError {
  return new VmpkgError('REGISTRY_INVALID', `${path} of ${name} has ${size} bytes, more than a registry's file may`, {
    hint: 'Check that the address is that of a registry.',
  })
}
