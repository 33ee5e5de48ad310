/**
 * `import`: one image from outside (a file, or a vendor's release) becomes a package of this host's own source, to be
 * installed and cloned as any other. The image is checked as far as anybody vouches for it, its header before any tool
 * opens it, and nothing of a refused one stays.
 */
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { VmpkgError } from '../errors.ts'
import { formatsByName, type ImageFormat, parseImageFormat } from '../image/format.ts'
import { rawFrom } from '../image/raw-from.ts'
import { parsePackageName } from '../model/name.ts'
import { parseSize } from '../model/size.ts'
import { parseVersion } from '../model/version.ts'
import { readCertificate } from '../trust/certificate.ts'
import { verifyVendorStream } from '../trust/vendor-signature.ts'
import { verifyStatements } from '../upstream/cross-check.ts'
import { describeImported, type ImportedPackage, writeImportedPackage } from './imported-package.ts'
import { addToLocalSource, LOCAL_SOURCE } from './local-source.ts'
import { HOST_WIDE, intend, transact } from './recover.ts'
import { scratchFolder } from './scratch.ts'
import { fetchUpstream, hashFile, parseDigest, readText } from './upstream-fetch.ts'
import type { Workspace } from './workspace.ts'

export interface ImportRequest {
  /** A file, or `vendor:version[:flavour]` with `isUpstream`. */
  readonly image: string
  readonly isUpstream: boolean
  readonly name: string
  readonly version?: string | undefined
  readonly os?: string | undefined
  readonly format?: string | undefined
  readonly firmware?: string | undefined
  readonly kind?: string | undefined
  /** Layer of the LAN for its clones; `none` for no card. */
  readonly net?: string | undefined
  readonly summary?: string | undefined
  /** `sha256:…`, `sha512:…` */
  readonly digests: readonly string[]
  /** A detached signature over the file, and certificates of which one must have made it. */
  readonly signature?: string | undefined
  readonly keys: readonly string[]
  readonly virtualSize?: string | undefined
  readonly maxSize?: string | undefined
  readonly mirror?: string | undefined
  readonly crossChecks: readonly string[]
  readonly dryRun: boolean
}

export interface ImportResult {
  readonly name: string
  readonly version: string
  readonly source: string
  readonly format: string
  readonly virtualSize: number
  /** Of the raw disk. */
  readonly digest: string
  /** Who vouches for the file that it came from. */
  readonly verified: readonly string[]
}

const DEFAULT_MAX_BYTES = 64 * 2 ** 30
const LAYERS = ['uni', 'gal', 'sol', 'uplink']

/**
 * @throws {VmpkgError} `USAGE` `NAME_INVALID` `VERSION_INVALID` `IMAGE_INVALID` `SIZE_EXCEEDED` `DIGEST_MISMATCH`
 *   `SIGNATURE_INVALID` `PACKAGE_EXISTS` and what fetching from a vendor refuses
 */
export async function importImage(workspace: Workspace, request: ImportRequest): Promise<ImportResult> {
  const facts = readFacts(request)
  const work = scratchFolder(workspace)
  try {
    const image = await obtain(workspace, request)
    const { processes, signal, emit } = workspace.outside
    const built = join(work, 'built')
    await mkdir(join(built, 'images'), { recursive: true })
    emit({ type: 'stage-started', stage: 'build', subject: image.name })
    const { format, virtualSize } = await rawFrom({
      file: image.file,
      name: image.name,
      format: image.format,
      virtualSize: request.virtualSize === undefined ? undefined : parseSize(request.virtualSize),
      maxBytes: request.maxSize === undefined ? DEFAULT_MAX_BYTES : parseSize(request.maxSize),
      work,
      target: join(built, 'images', 'disk'),
      processes,
      signal,
    })
    const version = facts.version ?? image.version
    await writeImportedPackage(built, {
      ...facts,
      version,
      summary: request.summary ?? `Imported from ${image.name}`.slice(0, 200),
      origin: `${image.origin}\n${image.verified.map((one) => `Vouched for by ${one}.\n`).join('') || 'Nobody vouches for it but whoever imported it.\n'}`,
      isMedium: format === 'iso',
    })
    const digest = await describeImported(built)
    if (!request.dryRun) await publishLocally(workspace, built, 'import', facts.name)
    emit({ type: 'stage-finished', stage: 'build', subject: `${facts.name} ${version}` })
    return { name: facts.name, version, source: LOCAL_SOURCE, format, virtualSize, digest, verified: image.verified }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Signed by the host's own key, and known to `install` from then on. */
export async function publishLocally(
  workspace: Workspace,
  built: string,
  operation: 'import' | 'seal',
  name: string,
): Promise<void> {
  const facts = { operation, subject: name, connection: HOST_WIDE } as const
  await transact(workspace, facts, async (transaction) => {
    intend(transaction, { kind: 'settle-local' })
    await addToLocalSource(workspace, built)
    transaction.commit()
  })
}

type Facts = Pick<ImportedPackage, 'name' | 'kind' | 'os' | 'firmware' | 'net'> & {
  readonly version: string | undefined
}

function readFacts({ name, version, kind = 'os-image', os, firmware = 'bios', net = 'uni' }: ImportRequest): Facts {
  if (kind !== 'os-image' && kind !== 'app') throw usage('--kind', kind, 'os-image or app')
  if (firmware !== 'bios' && firmware !== 'uefi') throw usage('--firmware', firmware, 'bios or uefi')
  if (net !== 'none' && !LAYERS.includes(net)) throw usage('--net', net, `${LAYERS.join(', ')} or none`)
  if (os !== undefined && !/^[a-z0-9.-]{1,64}$/.test(os))
    throw usage('--os', os, 'a name as libosinfo has it, such as debian12')
  return {
    name: parsePackageName(name),
    version: version === undefined ? undefined : parseVersion(version).text,
    kind,
    os,
    firmware,
    net: net === 'none' ? undefined : net,
  }
}

function usage(option: string, value: string, allowed: string): VmpkgError {
  return new VmpkgError('USAGE', `${option} takes ${allowed}, not ${JSON.stringify(value.slice(0, 40))}`)
}

interface Obtained {
  readonly file: string
  readonly name: string
  readonly format: ImageFormat | undefined
  readonly version: string
  readonly origin: string
  readonly verified: readonly string[]
}

async function obtain(workspace: Workspace, request: ImportRequest): Promise<Obtained> {
  const declared = request.format === undefined ? undefined : parseImageFormat(request.format)
  if (request.isUpstream) {
    const { digests, crossChecks, mirror, keys } = request
    const fetched = await fetchUpstream(workspace, {
      reference: request.image,
      digests,
      crossChecks,
      mirror,
      certificates: keys,
    })
    const [, version = ''] = fetched.reference.split(':')
    return {
      file: fetched.file,
      name: fetched.name,
      format: declared ?? fetched.format,
      version,
      origin: `${fetched.reference}, sha256:${fetched.sha256}`,
      verified: [
        ...(fetched.signer === undefined ? [] : [`the vendor's key ${fetched.signer}`]),
        ...fetched.statements.map(({ source }) => source),
      ],
    }
  }
  const file = resolve(workspace.folder, request.image)
  const actual = await hashFile(file).catch((cause: unknown) => {
    throw new VmpkgError('USAGE', `Cannot read ${JSON.stringify(request.image.slice(0, 200))}`, {
      hint: 'Name a file, or a vendor’s release with --upstream.',
      cause,
    })
  })
  const statements = request.digests.map(parseDigest)
  if (statements.length > 0) verifyStatements(basename(file), actual, statements)
  const signer = await verifySignature(workspace, request, file)
  return {
    file,
    name: basename(file),
    format: declared ?? formatsByName(basename(file)).format,
    version: '1.0',
    origin: `${basename(file)}, sha256:${actual.sha256}`,
    verified: [...(signer === undefined ? [] : [`key ${signer}`]), ...statements.map(({ source }) => source)],
  }
}

async function verifySignature(workspace: Workspace, { signature, keys }: ImportRequest, file: string) {
  if (signature === undefined) return undefined
  if (keys.length === 0) {
    throw new VmpkgError('USAGE', 'A signature needs the key that must have made it', { hint: 'Add --key FILE.' })
  }
  const certificates = await Promise.all(keys.map(async (one) => readCertificate(await readText(one))))
  const bytes = await readFile(resolve(workspace.folder, signature)).catch((cause: unknown) => {
    throw new VmpkgError('USAGE', `Cannot read ${JSON.stringify(signature.slice(0, 200))}`, { cause })
  })
  const read = () => Readable.toWeb(createReadStream(file, { highWaterMark: 1024 * 1024 }))
  const check = { subject: basename(file), certificates, now: workspace.outside.clock.now() }
  return (await verifyVendorStream(read, bytes, check)).fingerprint
}
