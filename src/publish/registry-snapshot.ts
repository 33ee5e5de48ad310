/**
 * `repo snapshot`: an envelope kept for good, as `snapshot/<issuedAt>.json`, with everything it names. A source with the
 * expiry policy `snapshot <issuedAt>` reads the registry as it was then, keys included.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import type { Envelope } from '../model/registry.ts'
import { FILE_LIMITS, parseEnvelope, parseSignedFile } from '../model/registry-schema.ts'
import { formatTime } from '../model/shape.ts'
import { placeRoots, withoutRoots } from './carried-roots.ts'
import { readRegistryFile, snapshotPath, writeImmutable } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { readRegistry, verifyRegistryAs } from './registry-state.ts'

export interface Snapshot {
  /** `20261121T000000Z`. */
  readonly name: string
  /** Below the registry. */
  readonly path: string
  /** For `source add --expiry`. */
  readonly policy: string
  readonly envelope: Envelope
}

const NAME = /^[0-9]{8}T[0-9]{6}Z$/

export function pathOfSnapshot(name: string): string {
  return `snapshot/${name}.json`
}

/** @throws {VmpkgError} `REGISTRY_INVALID` `REGISTRY_CHANGED`, or what a client of that date would refuse */
export async function snapshotRegistry(folder: string): Promise<Snapshot & { readonly isNew: boolean }> {
  return withRegistryLock(folder, async () => {
    const { envelope, envelopeFile } = await readRegistry(folder)
    await placeRoots(folder, envelopeFile) // a snapshot carries none
    await verifyRegistryAs(folder, envelopeFile, envelope.issuedAt)
    const made = describe(envelope)
    const isNew = (await listSnapshots(folder)).every(({ name }) => name !== made.name)
    await writeImmutable(folder, made.path, withoutRoots(envelopeFile))
    return { ...made, isNew }
  })
}

/** In order of time. @throws {VmpkgError} `REGISTRY_INVALID` `ENVELOPE_INVALID` */
export async function listSnapshots(folder: string): Promise<readonly Snapshot[]> {
  const files = await readdir(join(folder, 'snapshot')).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length))
  return Promise.all(
    names
      .filter((name) => NAME.test(name))
      .toSorted()
      .map(async (name) => readSnapshot(folder, name)),
  )
}

/** @throws {VmpkgError} `REGISTRY_INVALID` where there is none of that name, `ENVELOPE_INVALID` */
export async function readSnapshot(folder: string, name: string): Promise<Snapshot> {
  const file = await readRegistryFile(folder, pathOfSnapshot(parseSnapshotName(name)), FILE_LIMITS.envelope)
  const { payload } = parseSignedFile(file, 'ENVELOPE_INVALID', `Snapshot ${name}`, FILE_LIMITS.envelope)
  const found = describe(parseEnvelope(payload))
  if (found.name === name) return found
  throw new VmpkgError('ENVELOPE_INVALID', `Snapshot ${name} holds the envelope of ${found.name}`, {
    hint: 'Remove that file: nobody can have made it with vmpkg repo snapshot.',
    details: { sha256: sha256(file) },
  })
}

/** The files that only it named go with the next `repo gc`. @throws {VmpkgError} `REGISTRY_INVALID` */
export async function removeSnapshot(folder: string, name: string): Promise<void> {
  const path = pathOfSnapshot(parseSnapshotName(name))
  await withRegistryLock(folder, async () => {
    await readRegistryFile(folder, path, FILE_LIMITS.envelope)
    await rm(join(folder, path))
    await syncFolder(join(folder, 'snapshot'))
  })
}

/** Also takes the time as the policy spells it. @throws {VmpkgError} `USAGE` */
export function parseSnapshotName(text: string): string {
  const name = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text) ? text.replaceAll(/[-:]/g, '') : text
  if (NAME.test(name)) return name
  throw new VmpkgError('USAGE', `Not the name of a snapshot: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'It is a time such as 20261121T000000Z; vmpkg repo snapshot list REGISTRY shows them.',
  })
}

function describe(envelope: Envelope): Snapshot {
  const path = snapshotPath(envelope.issuedAt)
  const name = path.slice('snapshot/'.length, -'.json'.length)
  return { name, path, policy: `snapshot ${formatTime(envelope.issuedAt)}`, envelope }
}
