/**
 * The files of a registry on disk (formats 1): immutable ones named by digest or number, one envelope that changes in
 * place. Every write is a temporary file, fsync, rename, so a reader sees a file whole or not at all.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type BinaryFile, MAX_HELD_BYTES } from '../image/binary.ts'
import { type Digested, sha256 } from '../model/digest.ts'

export const ENVELOPE_PATH = 'envelope.json'

export function rootPath(version: number): string {
  return `root/${version}.json`
}

/** Where `repo snapshot` keeps the envelope that was issued at `at`. */
export function snapshotPath(at: Date): string {
  return `snapshot/${at
    .toISOString()
    .replace(/\.\d{3}Z$/, 'Z')
    .replaceAll(/[-:]/g, '')}.json`
}

/** Where a file named by its digest lies. */
export function contentPath(
  kind: 'index' | 'package' | 'channels' | 'map' | 'transport' | 'blob' | 'history',
  digest: string,
): string {
  const suffixes = { index: '.jsonl.zst', package: '.vmpkg', channels: '.json', history: '.json' }
  const suffix = { map: '', transport: '', blob: '', ...suffixes }[kind]
  return `${kind}/${digest}${suffix}`
}

/** Bounded read without following a link. @throws {VmpkgError} `REGISTRY_INVALID` when it is absent or too large */
export async function readRegistryFile(folder: string, path: string, maxBytes: number): Promise<Uint8Array> {
  return requireFound(await findRegistryFile(folder, path, maxBytes), folder, path)
}

/** A chunk map or an index, as `readRegistryFile`; one that is large stays where it is. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function openRegistryFile(folder: string, path: string, maxBytes: number): Promise<BinaryFile> {
  return requireFound(await findLargeFile(folder, path, maxBytes), folder, path)
}

function requireFound<T>(found: T | undefined, folder: string, path: string): T {
  if (found !== undefined) return found
  throw new VmpkgError('REGISTRY_INVALID', `The registry ${JSON.stringify(folder)} has no ${path}`, {
    hint: 'Make a registry with `vmpkg repo init`, or name its folder.',
  })
}

/** `undefined` where there is no such file. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function findRegistryFile(
  folder: string,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  return find(folder, path, maxBytes, async (handle) => new Uint8Array(await handle.readFile()))
}

/** A chunk map or an index, as `findRegistryFile`; one that is large stays where it is. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function findLargeFile(folder: string, path: string, maxBytes: number): Promise<BinaryFile | undefined> {
  return find(folder, path, maxBytes, async (handle, size) =>
    size > MAX_HELD_BYTES ? { path: join(folder, path) } : new Uint8Array(await handle.readFile()),
  )
}

async function find<T>(
  folder: string,
  path: string,
  maxBytes: number,
  read: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T | undefined> {
  try {
    await using handle = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW)
    const { size } = await handle.stat()
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    return await read(handle, size)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw new VmpkgError('REGISTRY_INVALID', `Cannot read ${path} of the registry`, { cause: error })
  }
}

/** Writes a file that must never change: an equal one is left, another one refused. @throws {VmpkgError} `REGISTRY_CHANGED` */
export async function writeImmutable(folder: string, path: string, bytes: Uint8Array): Promise<Digested> {
  const written = { sha256: sha256(bytes), size: bytes.length }
  const existing = await findRegistryFile(folder, path, Number.MAX_SAFE_INTEGER)
  if (existing !== undefined && sha256(existing) === written.sha256) {
    const now = new Date()
    // In use again: `repo gc` keeps young files. Another owner's file keeps its age, and publishing looks for it once more.
    await utimes(join(folder, path), now, now).catch(() => {})
    return written
  }
  if (existing !== undefined) {
    throw new VmpkgError('REGISTRY_CHANGED', `The registry already has another ${path}`, {
      hint: 'Files of a registry never change once written; find out who wrote it.',
    })
  }
  await makeFolder(dirname(join(folder, path)))
  await replaceFile(join(folder, path), bytes)
  return written
}

export async function writeEnvelope(folder: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(join(folder, ENVELOPE_PATH), bytes)
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
