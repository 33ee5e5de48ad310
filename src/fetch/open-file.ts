/**
 * One file asked for once: redirects by the policy, no content encoding, the range checked. Web servers and folders
 * answer alike. Servers may be hostile: nothing they say is believed beyond what is checked here.
 *
 * Source: RFC 9110 14 and 15 (ranges, status codes); threats D02, M16 to M18. Test oracle: a server that misbehaves.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import {
  isOciUrl,
  MANIFEST_TYPE,
  MAX_MANIFEST_BYTES,
  MAX_TAGGED_BYTES,
  ociName,
  ociUrl,
  parseManifest,
  readOciUrl,
} from '../model/oci.ts'
import type { HttpResponse } from '../ports.ts'
import { aborted, readBody, stalled, tooLarge } from './body.ts'
import { isContentAddressed, locateFile, showUrl } from './locate.ts'
import { type Mirror, stallPolicy } from './mirror.ts'
import { OciSession } from './oci-session.ts'
import { followRedirect, MAX_REDIRECTS } from './redirect.ts'

export interface FileRequest {
  readonly path: string
  /** Bytes of the whole file, where known. */
  readonly size?: number | undefined
  /** First byte and byte after the last; the whole file without. */
  readonly range?: { readonly start: number; readonly end: number } | undefined
  /** `ETag` of an earlier answer: a server whose file changed then sends all of it. */
  readonly ifRange?: string | undefined
  /** Media type, where a server has several. */
  readonly accept?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface OpenedFile {
  readonly body: Readable
  /** Offset of the body's first byte: 0 where the server ignored the range. */
  readonly start: number
  /** A strong entity tag, for `ifRange`. */
  readonly etag: string | undefined
}

/**
 * @throws {VmpkgError} `DOWNLOAD_FAILED` (with `details.status` where a server answered), `DOWNLOAD_STALLED`,
 *   `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `ABORTED`
 */
export async function openFile(mirror: Mirror, request: FileRequest): Promise<OpenedFile> {
  const url = locateFile(mirror.base, request.path)
  if (url.protocol === 'file:') return await openLocal(url, request)
  if (url.protocol === 'https:' || url.protocol === 'http:') {
    return await openRemote(mirror, url, request, { mayLeaveOrigin: isContentAddressed(request.path) })
  }
  if (isOciUrl(url)) return await openOciFile(mirror, request)
  throw new VmpkgError('DOWNLOAD_FAILED', `${showUrl(url)} is neither a web address nor a folder`, {
    hint: 'Give the source an address with https:, http:, file: or oci:.',
  })
}

async function openLocal(url: URL, { size, range }: FileRequest): Promise<OpenedFile> {
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const handle = await open(fileURLToPath(url), constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await handle.stat()
    if (!found.isFile() || (size !== undefined && found.size !== size)) {
      await handle.close()
      if (found.isFile() && size !== undefined && found.size > size) throw tooLarge(showUrl(url), size)
      throw failed(url, found.isFile() ? `has ${found.size} bytes instead of ${size}` : 'is not a file')
    }
    const start = range?.start ?? 0
    const end = range === undefined ? undefined : range.end - 1
    return { body: handle.createReadStream({ start, end, highWaterMark: 256 * 1024 }), start, etag: undefined }
  } catch (cause) {
    const code = systemErrorCode(cause)
    if (cause instanceof VmpkgError || code === undefined) throw cause
    const status = code === 'ENOENT' || code === 'ENOTDIR' ? 404 : 403
    throw failed(url, status === 404 ? 'is not there' : 'cannot be read', { cause, details: { status } })
  }
}

/** By a blob of its own, or by the manifest under its tag and the blob that this names. */
async function openOciFile(mirror: Mirror, request: FileRequest): Promise<OpenedFile> {
  const place = readOciUrl(mirror.base)
  if (typeof place === 'string') {
    throw new VmpkgError('DOWNLOAD_FAILED', `${showUrl(mirror.base)} is no registry: ${place}`)
  }
  const oci = mirror.oci ?? new OciSession({ place, http: mirror.http, proxy: mirror.proxy })
  const name = ociName(request.path)
  const blob = (digest: Sha256) => ociUrl(place, `blobs/sha256:${digest}`)
  if ('digest' in name) return openRemote(mirror, blob(name.digest), request, { mayLeaveOrigin: true, oci })
  const { signal } = request
  const read = async (url: URL, maxBytes: number, mayLeaveOrigin: boolean): Promise<Buffer> => {
    const plain = { path: request.path, signal, accept: MANIFEST_TYPE }
    const { body } = await openRemote(mirror, url, plain, { mayLeaveOrigin, oci })
    const pieces: Uint8Array[] = []
    const options = { subject: showUrl(url), maxBytes, stall: stallPolicy(mirror), signal }
    for await (const piece of readBody(body, options)) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const tag = ociUrl(place, `manifests/${name.tag}`)
  const [file] = parseManifest(await read(tag, MAX_MANIFEST_BYTES, false))
  if (file.size > MAX_TAGGED_BYTES) throw tooLarge(showUrl(tag), MAX_TAGGED_BYTES)
  const bytes = await read(blob(file.sha256), file.size, true)
  if (sha256(bytes) !== file.sha256) {
    throw new VmpkgError('DIGEST_MISMATCH', `${showUrl(blob(file.sha256))} is not the file that its manifest names`, {
      hint: 'Try again later, or use another mirror.',
    })
  }
  return { body: Readable.from([bytes], { objectMode: false }), start: 0, etag: undefined }
}

interface RemoteRules {
  readonly mayLeaveOrigin: boolean
  readonly oci?: OciSession
}

async function openRemote(
  mirror: Mirror,
  first: URL,
  request: FileRequest,
  { mayLeaveOrigin, oci }: RemoteRules,
): Promise<OpenedFile> {
  const rules = { first, mayLeaveOrigin }
  let url = first
  for (let count = 0; count <= MAX_REDIRECTS; count++) {
    const credentials = oci?.headersFor(url) ?? credentialsFor(mirror, url)
    let response = await ask(mirror, url, request, credentials)
    if (response.status === 401 && (await oci?.answer(url, response, credentials, request.signal)) === true) {
      discard(response)
      response = await ask(mirror, url, request, oci?.headersFor(url) ?? {})
    }
    if (![301, 302, 303, 307, 308].includes(response.status)) return accept(url, response, request)
    discard(response)
    url = followRedirect(url, response.headers['location'], rules)
  }
  throw new VmpkgError('REDIRECT_REFUSED', `${showUrl(first)} redirects more than ${MAX_REDIRECTS} times`, {
    hint: 'Use the address that it leads to in the end.',
  })
}

async function ask(
  mirror: Mirror,
  url: URL,
  { path, range, ifRange, accept: type, signal }: FileRequest,
  credentials: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  const timeout = new AbortController()
  const stall = stallPolicy(mirror)
  const watch = setTimeout(() => timeout.abort(), stall.windowMs)
  try {
    return await mirror.http.request({
      url: plain,
      ...(mirror.proxy === undefined ? {} : { proxy: mirror.proxy }),
      headers: {
        'accept-encoding': 'identity', // M18
        // Without a digest in its name a file may be stale in a cache on the way.
        ...(isContentAddressed(path) ? {} : { 'cache-control': 'no-cache' }),
        ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
        ...(range === undefined || ifRange === undefined ? {} : { 'if-range': ifRange }),
        ...(type === undefined ? {} : { accept: type }),
        ...credentials,
      },
      signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
    })
  } catch (cause) {
    if (signal?.aborted) throw aborted(showUrl(url))
    if (timeout.signal.aborted) throw stalled(showUrl(url), 0, stall)
    if (cause instanceof VmpkgError) throw cause
    throw failed(url, 'could not be reached', { cause, hint: 'Check the network and the address of the source.' })
  } finally {
    clearTimeout(watch)
  }
}

/** D12: to the origin they are meant for, and never where others on the line can read them. */
function credentialsFor({ base, credentials = {} }: Mirror, url: URL): Readonly<Record<string, string>> {
  if (url.origin !== base.origin || url.protocol !== 'https:') return {}
  if (base.username === '' && base.password === '') return credentials
  return {
    ...credentials,
    authorization: basicAuth(decodeURIComponent(base.username), decodeURIComponent(base.password)),
  }
}

/** Source: RFC 7617, in UTF-8. */
export function basicAuth(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

function accept(url: URL, response: HttpResponse, { size, range }: FileRequest): OpenedFile {
  const { status, headers, body } = response
  try {
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
      throw failed(url, `arrives encoded as ${JSON.stringify(encoding.slice(0, 40))}`, {
        hint: 'The server or a proxy changes the bytes on the way; switch that off or use https.',
        details: { status },
      })
    }
    if (status !== 200 && !(status === 206 && range !== undefined)) {
      const isBusy = status === 408 || status === 429 || status >= 500
      throw failed(url, `was answered with status ${status}`, isBusy ? {} : { details: { status } })
    }
    const start = status === 206 ? parseContentRange(url, headers['content-range'], size, range) : 0
    const length = Number(headers['content-length'] ?? Number.NaN)
    const expected = status === 206 && range !== undefined ? range.end - range.start : size
    if (expected !== undefined && length > expected) throw tooLarge(showUrl(url), expected)
    if (expected !== undefined && length < expected) throw failed(url, `has ${length} bytes instead of ${expected}`)
    const etag = headers['etag']
    return { body, start, etag: etag?.startsWith('"') ? etag : undefined }
  } catch (error) {
    discard(response)
    throw error
  }
}

function parseContentRange(
  url: URL,
  text: string | undefined,
  size: number | undefined,
  range: { readonly start: number; readonly end: number } | undefined,
): number {
  const [, first, last, total] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(text ?? '') ?? []
  const isAsked = Number(first) === range?.start && Number(last) === range.end - 1
  const isWhole = total === '*' || size === undefined || Number(total) === size
  if (!isAsked || !isWhole) throw failed(url, 'was answered with another range than was asked for')
  return Number(first)
}

function discard({ body }: HttpResponse): void {
  body.on('error', () => {})
  body.destroy()
}

function failed(
  url: URL,
  fact: string,
  options: { hint?: string; cause?: unknown; details?: Record<string, unknown> } = {},
): VmpkgError {
  return new VmpkgError('DOWNLOAD_FAILED', `${showUrl(url)} ${fact}`, {
    ...options,
    details: { url: showUrl(url), ...options.details },
  })
}
