/**
 * Fetches an image of a vendor and believes it only when everything fits: a signature by a pinned key over the list of
 * checksums or over the image, every further source that was named, and the bytes (PKG-3, PKG-4, PKG-12). What fails
 * leaves nothing; what a broken line left is continued by the next try.
 */
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { renameDurably } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { download } from '../fetch/download.ts'
import type { Mirror } from '../fetch/mirror.ts'
import { probeFile } from '../fetch/probe-size.ts'
import { fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import type { ImageFormat } from '../image/format.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { isClearSigned, parseClearSigned } from '../trust/clear-signed.ts'
import { verifyVendorClearSigned, verifyVendorFile, verifyVendorStream } from '../trust/vendor-signature.ts'
import { type ChecksumAlgorithm, parseChecksumFile } from '../upstream/checksum-file.ts'
import { requireAgreement, type Statement, verifyStatements } from '../upstream/cross-check.ts'
import { resolveUpstream, type Upstream } from '../upstream/reference.ts'
import type { UpstreamArch } from '../upstream/vendors.ts'
import { parseBase, SHIPPED_VENDORS, type VendorTrust } from './upstream.ts'
import type { Workspace } from './workspace.ts'

export interface FetchUpstreamRequest {
  /** `vendor:version[:flavour]` */
  readonly reference: string
  readonly arch?: UpstreamArch | undefined
  /** Instead of the vendor's own servers. */
  readonly mirror?: string | undefined
  /** Addresses of further, independent lists of checksums. */
  readonly crossChecks: readonly string[]
  /** `sha256:…` or `sha512:…`, from whoever asks. */
  readonly digests: readonly string[]
  /** Files with certificates for pinned fingerprints, beside those that we ship. */
  readonly certificates: readonly string[]
}

export interface FetchedUpstream {
  readonly reference: string
  /** Kept in the cache until it is cleaned. */
  readonly file: string
  /** As the vendor calls it. */
  readonly name: string
  readonly format: ImageFormat
  readonly size: number
  readonly sha256: string
  readonly sha512: string
  /** Fingerprint of the vendor's key. */
  readonly signer: string | undefined
  /** Everybody who vouches for these bytes. */
  readonly statements: readonly Statement[]
}

const MAX_LIST_BYTES = 1024 * 1024
const MAX_SIGNATURE_BYTES = 64 * 1024
const MAX_IMAGE_BYTES = 64 * 2 ** 30

/**
 * @throws {VmpkgError} `UPSTREAM_UNKNOWN` `CHECKSUMS_INVALID` `SOURCES_DISAGREE` `DIGEST_MISMATCH` `SIGNATURE_INVALID`
 *   `SIGNATURE_UNTRUSTED` `KEY_WEAK` `KEY_REVOKED` `KEY_EXPIRED` `CLOCK_WRONG` and what downloads fail with
 */
export async function fetchUpstream(
  workspace: Workspace,
  request: FetchUpstreamRequest,
  trust: VendorTrust = SHIPPED_VENDORS,
): Promise<FetchedUpstream> {
  const upstream = resolveUpstream(await trust.vendors(), request.reference, request.arch)
  const certificates = await readCertificates(trust, upstream, request.certificates)
  const found = await findRelease(workspace, upstream, request.mirror)
  const check = { subject: basename(upstream.checksums), certificates, now: workspace.outside.clock.now() }
  const { text, signer } = await verifyList(workspace, found, upstream, check)
  const name = basename(upstream.image)
  const listed = parseChecksumFile(text, basename(upstream.checksums)).get(name, upstream.algorithm)
  const statements: Statement[] = [
    { source: new URL(upstream.checksums, found.mirror.base).href, algorithm: listed.algorithm, digest: listed.digest },
    ...(await Promise.all(request.crossChecks.map((address) => askOther(workspace, address, name)))),
    ...request.digests.map(parseDigest),
  ]
  if (upstream.signature.kind === 'none' && request.digests.length === 0) {
    throw new VmpkgError('SIGNATURE_UNTRUSTED', `The vendor does not sign the checksums of ${upstream.reference}`, {
      hint: 'Give the digest that you got another way: --digest sha512:…',
    })
  }
  requireAgreement(statements)
  const folder = join(workspace.paths.cache, 'upstream')
  await mkdir(folder, { recursive: true })
  const target = join(folder, `${listed.digest.slice(0, 64)}-${name}`)
  const actual = await obtain(workspace, { found, upstream, target, size: listed.size, statements })
  let fileSigner = signer
  if (upstream.signature.kind === 'image') {
    fileSigner = await verifyImage(workspace, found, upstream, target, { ...check, subject: name })
  }
  const { size } = await stat(target)
  workspace.outside.emit({
    type: 'stage-finished',
    stage: 'verify',
    subject: `${upstream.reference}: ${describe(fileSigner, statements)}`,
  })
  return {
    reference: upstream.reference,
    file: target,
    name,
    format: upstream.format,
    size,
    sha256: actual.sha256,
    sha512: actual.sha512,
    signer: fileSigner,
    statements,
  }
}

interface Release {
  readonly mirror: Mirror
  readonly list: Buffer
}

function describe(signer: string | undefined, statements: readonly Statement[]): string {
  const sources = statements.length === 1 ? '1 source' : `${statements.length} sources that agree`
  return signer === undefined ? sources : `signed by ${signer}, ${sources}`
}

/** The first base that has the list of checksums. */
async function findRelease({ outside }: Workspace, upstream: Upstream, mirror: string | undefined): Promise<Release> {
  const bases = mirror === undefined ? upstream.bases : [mirror]
  for (const text of bases) {
    const source: Mirror = { http: outside.http, base: parseBase(text) }
    const options = { path: upstream.checksums, maxBytes: MAX_LIST_BYTES, signal: outside.signal }
    const list = await findSmallFile(source, options)
    if (list !== undefined) return { mirror: source, list }
  }
  throw new VmpkgError('UPSTREAM_UNKNOWN', `There is no ${upstream.reference} at ${bases.join(' or ')}`, {
    hint: `See vmpkg upstream list ${upstream.vendor} --online.`,
  })
}

type Check = Parameters<typeof verifyVendorFile>[2]

/** The list as text; verified, unless the vendor signs images or nothing. */
async function verifyList(
  { outside }: Workspace,
  { mirror, list }: Release,
  { signature }: Upstream,
  check: Check,
): Promise<{ readonly text: string; readonly signer: string | undefined }> {
  if (signature.kind === 'clear-signed') {
    const { text, signer } = await verifyVendorClearSigned(list, check)
    return { text, signer: signer.fingerprint }
  }
  if (signature.kind !== 'detached') return { text: list.toString('utf8'), signer: undefined }
  const options = { path: signature.path, maxBytes: MAX_SIGNATURE_BYTES, signal: outside.signal }
  const { file, signer } = await verifyVendorFile(list, await getSignature(mirror, options), check)
  return { text: Buffer.from(file).toString('utf8'), signer: signer.fingerprint }
}

async function getSignature(
  mirror: Mirror,
  options: { readonly path: string; readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const found = await findSmallFile(mirror, options)
  if (found !== undefined) return found
  throw new VmpkgError('SIGNATURE_INVALID', `There is no signature ${basename(options.path)}`, {
    hint: 'Without it nothing of the vendor is believed; use another mirror.',
  })
}

async function verifyImage(
  { outside }: Workspace,
  { mirror }: Release,
  { signature }: Upstream,
  file: string,
  check: Check,
): Promise<string> {
  try {
    if (signature.kind !== 'image') throw new TypeError('only for vendors that sign images')
    const bytes = await getSignature(mirror, {
      path: signature.path,
      maxBytes: MAX_SIGNATURE_BYTES,
      signal: outside.signal,
    })
    const read = () => Readable.toWeb(createReadStream(file, { highWaterMark: 1024 * 1024 }))
    return (await verifyVendorStream(read, bytes, check)).fingerprint
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
}

type Digests = Readonly<Record<ChecksumAlgorithm, string>>

/** Downloads unless the cache has it; checks the bytes in any case. */
async function obtain(
  workspace: Workspace,
  job: {
    readonly found: Release
    readonly upstream: Upstream
    readonly target: string
    readonly size: number | undefined
    readonly statements: readonly Statement[]
  },
): Promise<Digests> {
  const { found, upstream, target, statements } = job
  const { emit, signal } = workspace.outside
  const subject = basename(upstream.image)
  const partial = `${target}.partial`
  try {
    if ((await sizeOf(target)) !== undefined) {
      const actual = await hashFile(target)
      verifyStatements(subject, actual, statements)
      emit({ type: 'fetch-finished', subject, from: 'local' })
      return actual
    }
    const probed = await probeFile(found.mirror, { path: upstream.image, signal })
    if (probed === undefined)
      throw new VmpkgError('UPSTREAM_UNKNOWN', `The vendor lists ${subject} but does not have it`)
    const size = job.size ?? probed.size
    if (size > MAX_IMAGE_BYTES) throw new VmpkgError('SIZE_EXCEEDED', `${subject} claims to have ${size} bytes`)
    emit({ type: 'fetch-started', subject, sizeBytes: size })
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
    const actual = await (async () => {
      await using file = await open(partial, flags, 0o600)
      const have = (await file.stat()).size
      let position = have <= size ? have : 0
      await file.truncate(position)
      const hashes = startHashes()
      await feed(partial, hashes)
      for await (const piece of download(probed.mirror, { path: probed.path, size, start: position, signal })) {
        for (const hash of Object.values(hashes)) hash.update(piece)
        await writeAll(file, piece, position)
        position += piece.length
        emit({ type: 'fetch-progressed', subject, receivedBytes: position })
      }
      await file.sync()
      return finishHashes(hashes)
    })()
    verifyStatements(subject, actual, statements)
    await renameDurably(partial, target)
    emit({ type: 'fetch-finished', subject, from: 'network' })
    return actual
  } catch (error) {
    // Only what a broken line left is worth keeping.
    if (!isVmpkgError(error, 'DOWNLOAD_FAILED', 'DOWNLOAD_STALLED', 'ABORTED')) {
      await rm(partial, { force: true })
      await rm(target, { force: true })
    }
    throw error
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/** Both digests of a file. */
export async function hashFile(file: string): Promise<Digests> {
  const hashes = startHashes()
  await feed(file, hashes)
  return finishHashes(hashes)
}

type Hashes = Readonly<Record<ChecksumAlgorithm, ReturnType<typeof createHash>>>

function startHashes(): Hashes {
  return { sha256: createHash('sha256'), sha512: createHash('sha512') }
}

function finishHashes(hashes: Hashes): Digests {
  return { sha256: hashes.sha256.digest('hex'), sha512: hashes.sha512.digest('hex') }
}

async function feed(file: string, hashes: Hashes): Promise<void> {
  for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    for (const hash of Object.values(hashes)) hash.update(piece as Buffer)
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What another place says of the same file. It need not be signed: it can only make us refuse. */
async function askOther({ outside }: Workspace, address: string, name: string): Promise<Statement> {
  const url = parseBase(dirname(address))
  const path = basename(new URL(address).pathname)
  const bytes = await fetchSmallFile(
    { http: outside.http, base: url },
    { path, maxBytes: MAX_LIST_BYTES, signal: outside.signal },
  )
  const text = isClearSigned(bytes) ? parseClearSigned(bytes).text : bytes.toString('utf8')
  const { algorithm, digest } = parseChecksumFile(text, address).strongest(name)
  return { source: address, algorithm, digest }
}

/** `sha256:…` or `sha512:…`. @throws {VmpkgError} `DIGEST_INVALID` */
export function parseDigest(text: string): Statement {
  const [, algorithm, digest = ''] = /^(sha256|sha512):([0-9a-fA-F]+)$/.exec(text) ?? []
  if (algorithm === 'sha256' && digest.length === 64) return statement('sha256', digest)
  if (algorithm === 'sha512' && digest.length === 128) return statement('sha512', digest)
  throw new VmpkgError('DIGEST_INVALID', `Not a digest: ${JSON.stringify(text.slice(0, 160))}`, {
    hint: 'Write sha256: and 64, or sha512: and 128 hexadecimal digits.',
  })
}

function statement(algorithm: ChecksumAlgorithm, digest: string): Statement {
  return { source: 'the digest that was given', algorithm, digest: digest.toLowerCase() }
}

/** Those that we ship and those that are given; none but the pinned ones ever counts. */
async function readCertificates(
  trust: VendorTrust,
  upstream: Upstream,
  given: readonly string[],
): Promise<readonly Certificate[]> {
  const shipped = await Promise.all(upstream.keys.map((one) => trust.certificate(one)))
  const own = await Promise.all(given.map(async (file) => readCertificate(await readText(file))))
  const stranger = own.find(({ fingerprint }) => !upstream.keys.includes(fingerprint))
  if (stranger === undefined) return [...own, ...shipped]
  throw new VmpkgError(
    'KEY_UNKNOWN',
    `Key ${stranger.fingerprint} is not one that ${upstream.reference} may be signed with`,
    {
      hint: `Pinned are ${upstream.keys.join(', ')}.`,
    },
  )
}

/** Armored or binary. */
export async function readText(file: string): Promise<Uint8Array | string> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new VmpkgError('KEY_UNKNOWN', `Cannot read ${JSON.stringify(file.slice(0, 200))}`, { cause })
  })
  return bytes[0] === 0x2d ? bytes.toString('utf8') : new Uint8Array(bytes)
}
