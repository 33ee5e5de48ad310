/**
 * `--dry-run` of the publishing verbs: the real function on a copy of what it reads, thrown away afterwards. So a dry run
 * finds what the real run would find, and writes nothing to the registry. Immutable data stays where it is: only what a
 * publishing function reads is copied (roots, envelope, index, channels, submissions).
 */
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { FILE_LIMITS, parseEnvelope, parseSignedFile } from '../model/registry-schema.ts'
import { contentPath, ENVELOPE_PATH, readRegistryFile } from './registry-folder.ts'

/** Folders of data that may be looked into but are never written by the function that is tried. */
export type SharedFolder = 'package' | 'map' | 'transport' | 'blob'

/** @throws {VmpkgError} `REGISTRY_INVALID` `ENVELOPE_INVALID`, and what `run` throws */
export async function tryOnCopy<T>(
  folder: string,
  shared: readonly SharedFolder[],
  run: (copy: string) => Promise<T>,
): Promise<T> {
  const file = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelope)
  const { payload } = parseSignedFile(file, 'ENVELOPE_INVALID', 'The envelope', FILE_LIMITS.envelope)
  const { index, channels } = parseEnvelope(payload)
  const copy = await mkdtemp(join(tmpdir(), 'vmpkg-dry-run-'))
  try {
    for (const kind of ['root', 'incoming', 'snapshot']) await copyKind(folder, copy, kind)
    for (const path of [contentPath('index', index.sha256), contentPath('channels', channels.sha256), ENVELOPE_PATH]) {
      await mkdir(join(copy, path, '..'), { recursive: true })
      await copyFile(join(folder, path), join(copy, path))
    }
    for (const kind of shared) await symlink(resolve(folder, kind), join(copy, kind))
    return await run(copy)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

async function copyKind(folder: string, copy: string, kind: string): Promise<void> {
  const names = await readdir(join(folder, kind)).catch(() => [])
  await mkdir(join(copy, kind), { recursive: true })
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    await copyFile(join(folder, kind, name), join(copy, kind, name))
  }
}
