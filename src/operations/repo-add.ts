/** Signs built packages and adds them to a registry folder, or leaves a signed submission when the timestamp key is not here. */
import { VmpkgError } from '../errors.ts'
import { packImage } from '../image/pack-image.ts'
import type { PackageLine } from '../model/line.ts'
import { matchesNamePattern } from '../model/name.ts'
import type { Root } from '../model/registry.ts'
import { readBuiltPackage } from '../publish/built-package.ts'
import { type AddResult, addPackages, type PackImage } from '../publish/registry-add.ts'
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
  readonly packages: readonly { readonly name: string; readonly version: string; readonly arch: string }[]
  readonly place: PlaceReport
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `PACKAGE_EXISTS` `SECRET_REFUSED` `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function addToRegistry(workspace: Workspace, request: AddRequest): Promise<AddReport> {
  const ring = new KeyRing(workspace, request)
  const names = await Promise.all(
    request.built.map(async (folder) => (await readBuiltPackage(folder)).contents.manifest.name),
  )
  const pack = packer(workspace, request.level)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const { root } = await readRegistry(folder)
    const publishers = await openPublishers(ring, root, names)
    const timestamping = await openTimestamping(workspace, ring, root)
    return addPackages({
      folder,
      packages: request.built,
      publishers,
      pack,
      ...(timestamping === undefined ? {} : { timestamping }),
    })
  })
  const { messages, ...added } = report(result)
  return { ...added, place, messages: [...(place.dryRun ? [] : messages), ...describePlace(place)] }
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
async function openTimestamping(workspace: Workspace, ring: KeyRing, root: Root): Promise<Timestamping | undefined> {
  const held = await ring.held(root.timestamp.keys)
  if (held.length < root.timestamp.threshold) return undefined
  return { signers: await ring.signers(held), clock: workspace.outside.clock }
}

/** @throws {VmpkgError} `KEY_UNKNOWN` */
export async function getTimestamping(workspace: Workspace, ring: KeyRing, root: Root): Promise<Timestamping> {
  const timestamping = await openTimestamping(workspace, ring, root)
  if (timestamping !== undefined) return timestamping
  throw new VmpkgError('KEY_UNKNOWN', `The timestamp key of this registry is not in ${ring.folder}`, {
    hint: 'Name the folder that holds it with --keys.',
  })
}

/** Packs each image once, however often the rest has to be done anew. */
function packer({ outside }: Workspace, level: string | undefined): PackImage {
  const packed = new Map<string, ReturnType<PackImage>>()
  const pack: PackImage = async ({ file, outDir }) => {
    const { digest, size, map, transport } = await packImage({
      file,
      outDir,
      signal: outside.signal,
      ...(level === undefined ? {} : { level: parseLevel(level) }),
    })
    return {
      digest,
      size,
      map: { sha256: map.sha256, size: map.size },
      transport: { sha256: transport.sha256, size: transport.size, fullBytes: transport.fullBytes },
    }
  }
  return async (options) => {
    const key = `${options.outDir}\0${options.file}`
    const known = packed.get(key) ?? pack(options)
    packed.set(key, known)
    return known
  }
}

function parseLevel(text: string): number {
  const level = Number(text)
  if (Number.isInteger(level) && level >= 1 && level <= 19) return level
  throw new VmpkgError('USAGE', `--level takes a number from 1 to 19, not ${JSON.stringify(text.slice(0, 20))}`)
}

export function report(result: AddResult): Omit<AddReport, 'place'> {
  const packages = result.lines.map(({ name, version, arch }: PackageLine) => ({ name, version, arch }))
  const all = packages.map(({ name, version }) => `${name} ${version}`).join(', ')
  const messages: Readonly<Record<AddResult['kind'], string>> = {
    published: `Published ${all}`,
    unchanged: `${all}: published already, nothing to do`,
    submitted: `Submitted ${all}: whoever holds the timestamp key runs vmpkg repo merge`,
  }
  return { kind: result.kind, packages, messages: [messages[result.kind]] }
}
