/** Signs built packages and adds them to a registry folder, or leaves a signed submission when the timestamp key is not here. */
import { VmpkgError } from '../errors.ts'
import { makeDelta } from '../image/make-delta.ts'
import { packImage } from '../image/pack-image.ts'
import type { PackageLine } from '../model/line.ts'
import { matchesNamePattern } from '../model/name.ts'
import type { Root } from '../model/registry.ts'
import { readBuiltPackage } from '../publish/built-package.ts'
import { type AddResult, addPackages, type MakeDelta, type PackImage } from '../publish/registry-add.ts'
import { readRegistry } from '../publish/registry-state.ts'
import type { Timestamping } from '../publish/registry-version.ts'
import type { Signer } from '../publish/signer.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import type { Workspace } from './workspace.ts'

export interface AddRequest extends KeyAccess, PlaceRequest {
  /** Folders that `vmpkg build` made. */
  readonly built: readonly string[]
  /** zstd level of packs. */
  readonly level: string | undefined
}

export interface AddReport {
  readonly kind: AddResult['kind']
  readonly packages: readonly {
    readonly name: string
    readonly version: string
    readonly arch: string
    /** Everything that travels, but for the images. */
    readonly files: readonly { readonly path: string; readonly size: number }[]
    readonly images: readonly { readonly role: string; readonly size: number }[]
  }[]
  readonly signers: readonly { readonly role: 'publisher' | 'timestamp'; readonly fingerprint: string }[]
  readonly place: PlaceReport
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `PACKAGE_EXISTS` `SECRET_REFUSED` `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function addToRegistry(workspace: Workspace, request: AddRequest): Promise<AddReport> {
  const ring = new KeyRing(workspace, request)
  const built = await Promise.all(request.built.map(readBuiltPackage))
  const names = built.map(({ contents }) => contents.manifest.name)
  const packing = packer(workspace, request.level)
  const { result, place } = await changeRegistry(workspace, request, async (folder, bring) => {
    const { root } = await readRegistry(folder)
    const publishers = await openPublishers(ring, root, names)
    const timestamping = await openTimestamping(workspace, ring, root)
    const added = await addPackages({
      folder,
      packages: request.built,
      publishers,
      ...packing,
      ...(bring === undefined ? {} : { bring }),
      signal: workspace.outside.signal,
      ...(timestamping === undefined ? {} : { timestamping }),
    })
    return { added, signers: describeSigners(publishers, timestamping) }
  })
  return {
    kind: result.added.kind,
    packages: built.map(({ contents: { manifest }, listing, images }) => ({
      name: manifest.name,
      version: manifest.version,
      arch: manifest.arch,
      files: listing,
      images: images.map(({ role, size }) => ({ role, size })),
    })),
    signers: result.signers,
    place,
    messages: [describeAdded(result.added, place.dryRun), ...describePlace(place)],
  }
}

/** Who would sign packages of these names. @throws {VmpkgError} `KEY_UNKNOWN` */
export async function findSigners(
  workspace: Workspace,
  request: KeyAccess & PlaceRequest,
  names: readonly string[],
): Promise<Pick<AddReport, 'signers' | 'place'>> {
  const ring = new KeyRing(workspace, request)
  const { result, place } = await changeRegistry(workspace, { ...request, dryRun: true }, async (folder) => {
    const { root } = await readRegistry(folder)
    return describeSigners(await openPublishers(ring, root, names), await openTimestamping(workspace, ring, root))
  })
  return { signers: result, place }
}

function describeSigners(publishers: readonly Signer[], timestamping: Timestamping | undefined): AddReport['signers'] {
  return [
    ...publishers.map(({ fingerprint }) => ({ role: 'publisher' as const, fingerprint })),
    ...(timestamping?.signers ?? []).map(({ fingerprint }) => ({ role: 'timestamp' as const, fingerprint })),
  ]
}

/** The keys of the folder that may sign every one of these names. @throws {VmpkgError} `KEY_UNKNOWN` */
async function openPublishers(
  ring: KeyRing,
  { publishers }: Root,
  names: readonly string[],
): Promise<readonly Signer[]> {
  for (const { keys, patterns, threshold } of publishers) {
    if (!names.every((name) => patterns.some((pattern) => matchesNamePattern(pattern, name)))) continue
    const held = await ring.held(keys)
    if (held.length >= threshold) return ring.signers(held)
  }
  throw new VmpkgError('KEY_UNKNOWN', `No key in ${ring.folder} may sign ${names.join(', ')} in this registry`, {
    hint: 'Name the folder that holds the publisher’s secret key with --keys.',
  })
}

/** `undefined` where the folder holds too few timestamp keys. */
export async function openTimestamping(
  workspace: Workspace,
  ring: KeyRing,
  { timestamp }: Pick<Root, 'timestamp'>,
): Promise<Timestamping | undefined> {
  const held = await ring.held(timestamp.keys)
  if (held.length < timestamp.threshold) return undefined
  return { signers: await ring.signers(held), clock: workspace.outside.clock }
}

/** @throws {VmpkgError} `KEY_UNKNOWN` */
export async function getTimestamping(
  workspace: Workspace,
  ring: KeyRing,
  root: Pick<Root, 'timestamp'>,
): Promise<Timestamping> {
  const timestamping = await openTimestamping(workspace, ring, root)
  if (timestamping !== undefined) return timestamping
  throw new VmpkgError('KEY_UNKNOWN', `The timestamp key of this registry is not in ${ring.folder}`, {
    hint: 'Name the folder that holds it with --keys.',
  })
}

/** Packs each image once, however often the rest has to be done anew. */
function packer({ outside }: Workspace, level: string | undefined): { pack: PackImage; makeDelta: MakeDelta } {
  const packed = new Map<string, ReturnType<PackImage>>()
  const common = { signal: outside.signal, ...(level === undefined ? {} : { level: parseLevel(level) }) }
  return {
    pack: async (options) => {
      const key = `${options.outDir}\0${options.file}`
      const known = packed.get(key) ?? packImage({ ...options, ...common })
      packed.set(key, known)
      return known
    },
    makeDelta: async (options) => makeDelta({ ...options, ...common }),
  }
}

function parseLevel(text: string): number {
  const level = Number(text)
  if (Number.isInteger(level) && level >= 1 && level <= 19) return level
  throw new VmpkgError('USAGE', `--level takes a number from 1 to 19, not ${JSON.stringify(text.slice(0, 20))}`)
}

export function describeAdded(result: AddResult, dryRun: boolean): string {
  const all = result.lines.map(({ name, version }: PackageLine) => `${name} ${version}`).join(', ')
  const messages: Readonly<Record<AddResult['kind'], string>> = {
    published: `${dryRun ? 'Would publish' : 'Published'} ${all}`,
    unchanged: `${all}: published already, nothing to do`,
    submitted: `${dryRun ? 'Would submit' : 'Submitted'} ${all}: whoever holds the timestamp key runs vmpkg repo merge`,
  }
  return messages[result.kind]
}
