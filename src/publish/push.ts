/**
 * `repo push` and `publish --to`: brings a registry folder to where a web server or another publisher finds it (formats
 * 1.2): what is missing first, the envelope last. The folder is the master: nothing is merged, and what the target has and
 * the folder lacks stops it, so that no package of another publisher is lost by it (threats P01).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import { FILE_LIMITS, parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { verifyContent } from '../trust/content.ts'
import { MAX_INDEX_BYTES, readIndexEntries } from '../trust/package-index.ts'
import { carriedRoots, carryRoots, withoutRoots } from './carried-roots.ts'
import { missingRoots, placeLater, type RootUpload, splitUpload } from './later-roots.ts'
import { listRegistryFiles, type RegistryFile } from './registry-files.ts'
import { contentPath, ENVELOPE_PATH, readRegistryFile } from './registry-folder.ts'
import { readRegistry, verifyRegistryAs } from './registry-state.ts'
import { type PublishTarget, readFromTarget } from './target.ts'
import { areEqual } from './target-folder.ts'
import { uploadMissing } from './upload.ts'

export interface PushOptions {
  readonly folder: string
  /** Its own files are never removed. */
  readonly target: PublishTarget
  readonly clock: Clock
  readonly emit?: Emit
  readonly dryRun?: boolean
  /** The folder has fewer packages on purpose. */
  readonly allowRemovals?: boolean
}

export interface Pushed {
  /** What was not there before. */
  readonly uploaded: readonly RegistryFile[]
  /** Version now at the target. */
  readonly version: number
  readonly changed: boolean
}

interface Offer {
  readonly file: Uint8Array
  readonly envelope: Envelope
  readonly entries: readonly IndexEntry[]
}

const ATTEMPTS = 5

/** @throws {VmpkgError} `REGISTRY_INVALID` `REGISTRY_CHANGED` `TARGET_FAILED`, or what a client would refuse the folder for */
export async function pushRegistry(options: PushOptions): Promise<Pushed> {
  const { folder, target, clock, dryRun = false, emit } = options
  const { envelopeFile, envelope, entries } = await readRegistry(folder)
  await verifyRegistryAs(folder, envelopeFile, clock.now())
  const offer = { file: withoutRoots(envelopeFile), envelope, entries }
  const files = await listRegistryFiles(folder)
  let uploaded: readonly RegistryFile[] = []
  for (let attempt = 1; ; attempt++) {
    const present = await readFromTarget(target, { path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelopeFile })
    if (present !== undefined) await refuseLoss(offer, present, options)
    const isSame = present !== undefined && areEqual(withoutRoots(present), offer.file)
    const { first, later } = splitUpload(files, present)
    const upload = { target, folder, dryRun, ...(emit && { emit }) }
    uploaded = [...uploaded, ...(await uploadMissing({ ...upload, files: first }))]
    const roots = await missingRoots(upload, later)
    const pushed = { uploaded: [...uploaded, ...roots], version: envelope.version, changed: !isSame }
    if (dryRun || isSame) return pushed
    try {
      await target.swapEnvelope(present, await carryFor(folder, envelopeFile, later))
      await placeLater(upload, later)
      return pushed
    } catch (error) {
      if (!isVmpkgError(error, 'REGISTRY_CHANGED') || attempt === ATTEMPTS) throw error
    }
  }
}

/** With every root file that readers of what is at the target lack. */
async function carryFor(folder: string, envelopeFile: Uint8Array, later: readonly RootUpload[]): Promise<Uint8Array> {
  const read = later.map(async ({ path, version }) => ({
    version,
    file: await readRegistryFile(folder, path, FILE_LIMITS.root),
  }))
  return carryRoots(envelopeFile, [...carriedRoots(envelopeFile), ...(await Promise.all(read))])
}

async function refuseLoss(offer: Offer, presentFile: Uint8Array, options: PushOptions): Promise<void> {
  const { envelope } = offer
  const present = parseEnvelope(parseEnvelopeFile(presentFile).payload)
  if (areEqual(offer.file, withoutRoots(presentFile))) return
  // A rotation may begin the count of versions anew (threats M07), so the root comes first.
  const order = envelope.root.version - present.root.version || envelope.version - present.version
  if (present.registryId !== envelope.registryId || order <= 0) {
    throw new VmpkgError('REGISTRY_CHANGED', `${options.target.name} holds a newer version, or another registry`, {
      hint: 'Publish to the target itself (vmpkg publish TARGET …), or bring its version into the folder first.',
      details: { present: present.version, offered: envelope.version },
    })
  }
  if (options.allowRemovals === true || present.index.sha256 === envelope.index.sha256) return
  const lost = findLost(offer.entries, await readEntries(options.target, present))
  if (lost.length === 0) return
  throw new VmpkgError(
    'REGISTRY_CHANGED',
    `${options.target.name} has packages that the folder lacks: ${lost.join(', ')}`,
    {
      hint: 'Another publisher added them. Publish to the target itself, or drop them with --allow-removals.',
      details: { packages: lost },
    },
  )
}

async function readEntries(target: PublishTarget, { index }: Envelope): Promise<readonly IndexEntry[]> {
  const path = contentPath('index', index.sha256)
  const file = await readFromTarget(target, { path, maxBytes: MAX_INDEX_BYTES })
  if (file === undefined) throw new VmpkgError('REGISTRY_INVALID', `${target.name} has no ${path}`)
  verifyContent(file, index, 'The package index')
  return readIndexEntries(file, index)
}

function findLost(kept: readonly IndexEntry[], present: readonly IndexEntry[]): readonly string[] {
  const lines = new Set(kept.map(({ line }) => Buffer.from(line).toString('base64')))
  return present
    .filter(({ line }) => !lines.has(Buffer.from(line).toString('base64')))
    .map(({ line }) => parsePackageLine(line))
    .map(({ name, version, arch }) => `${name} ${version} ${arch}`)
}
