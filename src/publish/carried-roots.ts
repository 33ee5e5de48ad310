/**
 * Root files that `envelope.json` carries (formats 2.12): how a change of keys becomes one file that is replaced at once. A
 * root file in its own place and the envelope under it cannot be written in one step, and between the two a reader would
 * find neither the old registry whole nor the new one. So the envelope brings the root file along and is written first;
 * then the root file goes to its place, which whoever publishes next makes sure of.
 */
import { sha256 } from '../model/digest.ts'
import {
  FILE_LIMITS,
  formatEnvelopeFile,
  formatSignedFile,
  parseEnvelope,
  parseEnvelopeFile,
} from '../model/registry-schema.ts'
import { findRegistryFile, readRegistryFile, rootPath, writeImmutable } from './registry-folder.ts'

/** A signed root file and its number. */
export interface NumberedRoot {
  readonly version: number
  readonly file: Uint8Array
}

/** The envelope file with those root files and no others. As many of the newest as a reader takes. */
export function carryRoots(envelopeFile: Uint8Array, roots: readonly NumberedRoot[]): Uint8Array {
  const signed = parseEnvelopeFile(envelopeFile)
  const ordered = roots.toSorted((a, b) => a.version - b.version)
  for (;;) {
    const carried = formatEnvelopeFile({
      ...signed,
      roots: new Map(ordered.map(({ version, file }) => [version, file] as const)),
    })
    if (carried.length <= FILE_LIMITS.envelopeFile) return carried
    ordered.shift()
  }
}

/** As it was signed: what snapshots and former versions are kept as, and what is compared. */
export function withoutRoots(envelopeFile: Uint8Array): Uint8Array {
  return formatSignedFile(parseEnvelopeFile(envelopeFile))
}

export function carriedRoots(envelopeFile: Uint8Array): readonly NumberedRoot[] {
  return [...parseEnvelopeFile(envelopeFile).roots].map(([version, file]) => ({ version, file }))
}

/** The root files that follow the one of an envelope, and the rest. None follows where there is no envelope. */
export function splitRoots<T extends { readonly version: number }>(
  roots: readonly T[],
  envelopeFile: Uint8Array | undefined,
): { readonly first: readonly T[]; readonly later: readonly T[] } {
  if (envelopeFile === undefined) return { first: roots, later: [] }
  const { root } = parseEnvelope(parseEnvelopeFile(envelopeFile).payload)
  return {
    first: roots.filter(({ version }) => version <= root.version),
    later: roots.filter(({ version }) => version > root.version),
  }
}

/** From its place, or from the envelope that carries it. */
export async function findRoot(
  folder: string,
  envelopeFile: Uint8Array | undefined,
  version: number,
): Promise<Uint8Array | undefined> {
  const placed = await findRegistryFile(folder, rootPath(version), FILE_LIMITS.root)
  if (placed !== undefined || envelopeFile === undefined) return placed
  return parseEnvelopeFile(envelopeFile).roots.get(version)
}

/** As `findRoot`. @throws {VmpkgError} `REGISTRY_INVALID` when it is absent */
export async function readRoot(folder: string, envelopeFile: Uint8Array, version: number): Promise<Uint8Array> {
  return (
    (await findRoot(folder, envelopeFile, version)) ?? readRegistryFile(folder, rootPath(version), FILE_LIMITS.root)
  )
}

/**
 * Puts the root files that the folder's envelope carries into their places, where a publisher that was killed has not. The
 * caller holds the lock, and verifies the chain before anything is published on top.
 *
 * @throws {VmpkgError} `REGISTRY_CHANGED` where another one is there, `ENVELOPE_INVALID`
 */
export async function placeRoots(folder: string, envelopeFile: Uint8Array): Promise<void> {
  const { payload, roots } = parseEnvelopeFile(envelopeFile)
  const { root: named } = parseEnvelope(payload)
  for (const [version, file] of roots) {
    const isNamed = version < named.version || sha256(file) === named.sha256
    if (version <= named.version && isNamed) await writeImmutable(folder, rootPath(version), file)
  }
}

/** Root files that are not in their places yet. */
export async function waitingRoots(folder: string, envelopeFile: Uint8Array): Promise<readonly number[]> {
  const waiting: number[] = []
  for (const { version } of carriedRoots(envelopeFile)) {
    if ((await findRegistryFile(folder, rootPath(version), FILE_LIMITS.root)) === undefined) waiting.push(version)
  }
  return waiting
}
