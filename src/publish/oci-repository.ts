/**
 * The requests that publishing to an OCI registry needs, sent by the `Http` port, tried again where the server or the line
 * fails. Answers are bounded; no redirect is followed but when bytes are read. Source: OCI Distribution Specification 1.1. Test oracle:
 * Debian's docker-registry.
 */
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { OciSession } from '../fetch/oci-session.ts'
import { followRedirect } from '../fetch/redirect.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import { MANIFEST_TYPE, MAX_MANIFEST_BYTES, ociUrl } from '../model/oci.ts'
import type { Http } from '../ports.ts'
import { collectBody, saveBody } from './response-body.ts'
import { targetFailed } from './target.ts'

export interface OciRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: { readonly size: number; open(): Uint8Array | Readable }
  readonly maxBytes?: number
  /** Where the body goes that was asked for; the answer then has its digest. */
  readonly into?: string
  /** What follows the headers is not wanted. */
  readonly headersOnly?: boolean
  readonly timeoutMs?: number
  /** Answered or not, it is not sent again. */
  readonly once?: boolean
}

export interface OciResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly savedDigest?: Sha256
}

export interface OciRepositoryOptions {
  /** For messages. */
  readonly name: string
  readonly session: OciSession
  readonly http: Http
  /** Another repository of the server that may have the blobs. */
  readonly mountFrom?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export const TRIES = 6
const PAUSE_MS = 200
const REQUEST_MS = 15 * 60_000
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const MAX_TAG_PAGES = 10_000
const REDIRECTS = [301, 302, 303, 307, 308]

export class OciRepository {
  readonly #options: OciRepositoryOptions

  constructor(options: OciRepositoryOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  get mountFrom(): string | undefined {
    return this.#options.mountFrom
  }

  /** Bytes of the blob; `undefined` where it is not there. */
  async blobSize(digest: Sha256): Promise<number | undefined> {
    const url = this.url(`blobs/sha256:${digest}`)
    const { status, headers } = await this.request({ method: 'HEAD', url }, [...REDIRECTS, 404])
    if (status === 404) return undefined
    if (status < 300) return Number(headers['content-length'])
    // It is there; the other server says how long it is, and may have signed its address for GET only.
    const range = { range: 'bytes=0-0' }
    const first = await this.#read({ method: 'GET', url, headers: range, headersOnly: true })
    return Number(/\/(\d{1,16})$/.exec(first.headers['content-range'] ?? '')?.[1] ?? first.headers['content-length'])
  }

  /** The whole blob, checked; `undefined` where it is not there. */
  async readBlob(digest: Sha256, maxBytes: number): Promise<Buffer | undefined> {
    const answer = await this.#read({ method: 'GET', url: this.url(`blobs/sha256:${digest}`), maxBytes }, [404])
    if (answer.status === 404) return undefined
    if (sha256(answer.body) === digest) return answer.body
    throw targetFailed(this.name, `read blob ${digest}`, 'its bytes are others')
  }

  async #read(request: OciRequest, allowed: readonly number[] = []): Promise<OciResponse> {
    const answer = await this.request(request, [...REDIRECTS, ...allowed])
    if (!REDIRECTS.includes(answer.status)) return answer
    const rules = { first: request.url, mayLeaveOrigin: true }
    return this.request({ ...request, url: followRedirect(request.url, answer.headers['location'], rules) })
  }

  /** The whole blob into a file, checked; false where it is not there. */
  async saveBlob(digest: Sha256, maxBytes: number, into: string): Promise<boolean> {
    const url = this.url(`blobs/sha256:${digest}`)
    const { status, savedDigest } = await this.#read({ method: 'GET', url, maxBytes, into }, [404])
    if (status === 404) return false
    if (savedDigest === digest) return true
    throw targetFailed(this.name, `read blob ${digest}`, 'its bytes are others')
  }

  /** Bytes of the manifest under a tag; `undefined` where there is none. */
  async readManifest(tag: string): Promise<Buffer | undefined> {
    const { status, body } = await this.request(
      {
        method: 'GET',
        url: this.url(`manifests/${tag}`),
        headers: { accept: MANIFEST_TYPE },
        maxBytes: MAX_MANIFEST_BYTES,
      },
      [404],
    )
    return status === 404 ? undefined : body
  }

  /** @throws {VmpkgError} `TARGET_FAILED` also where a blob that it names is not there */
  async putManifest(tag: string, bytes: Uint8Array, timeoutMs?: number): Promise<void> {
    if (bytes.length > MAX_MANIFEST_BYTES) {
      throw targetFailed(this.name, `write ${tag}`, 'it names more files than a manifest may')
    }
    await this.request({
      method: 'PUT',
      url: this.url(`manifests/${tag}`),
      headers: { 'content-type': MANIFEST_TYPE },
      body: { size: bytes.length, open: () => bytes },
      ...(timeoutMs !== undefined && { timeoutMs, once: true }),
    })
  }

  /** False where the server does not do that. */
  async deleteManifest(digest: Sha256): Promise<boolean> {
    const url = this.url(`manifests/sha256:${digest}`)
    const { status } = await this.request({ method: 'DELETE', url }, [400, 403, 404, 405])
    return status < 300 || status === 404
  }

  /** None where the repository does not exist yet. */
  async listTags(): Promise<readonly string[]> {
    const tags: string[] = []
    let url: URL | undefined = this.url('tags/list?n=1000')
    for (let page = 0; url !== undefined; page++) {
      const { status, headers, body }: OciResponse = await this.request({ method: 'GET', url }, [404])
      if (status === 404) return tags
      tags.push(...this.#parseTags(body))
      const [, next] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers['link'] ?? '') ?? []
      url = next === undefined || page >= MAX_TAG_PAGES ? undefined : this.#sameServer(next, url)
    }
    return tags
  }

  #parseTags(body: Buffer): readonly string[] {
    try {
      const { tags } = JSON.parse(body.toString()) as { readonly tags?: unknown }
      if (tags === null || tags === undefined) return []
      if (Array.isArray(tags)) return tags.filter((tag): tag is string => typeof tag === 'string')
    } catch {
      // no JSON
    }
    throw targetFailed(this.name, 'list tags', 'the answer is no list')
  }

  /** Before the next try. @throws {VmpkgError} `ABORTED` */
  async pause(attempt: number): Promise<void> {
    const { name, signal } = this.#options
    await sleep(PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()), undefined, { signal }).catch(
      (cause: unknown) => {
        throw new VmpkgError('ABORTED', `Publishing to ${name} was interrupted`, { cause })
      },
    )
  }

  /** @param allowed statuses that are answers; 2xx always is. @throws {VmpkgError} `TARGET_FAILED` `NO_RIGHTS` `ABORTED` */
  async request(request: OciRequest, allowed: readonly number[] = []): Promise<OciResponse> {
    const { name, signal } = this.#options
    for (let attempt = 1; ; attempt++) {
      let failure: unknown
      try {
        const response = await this.#authorized(request)
        const { status } = response
        if ((status >= 200 && status < 300) || allowed.includes(status)) return response
        failure = describe(status, response.body)
        if (status === 401 || status === 403) throw this.#noRights(String(failure))
        if (status !== 429 && status < 500) throw targetFailed(name, explain(request), String(failure))
      } catch (error) {
        if (isVmpkgError(error, 'DOWNLOAD_FAILED')) throw this.#noRights(error.message)
        if (error instanceof VmpkgError) throw error
        if (signal?.aborted) throw new VmpkgError('ABORTED', `Publishing to ${name} was interrupted`, { cause: error })
        failure = error
      }
      if (attempt === TRIES || request.once === true) {
        const reason = failure instanceof Error ? failure.message : String(failure)
        throw targetFailed(name, explain(request), reason, failure)
      }
      await this.pause(attempt)
    }
  }

  async #authorized(request: OciRequest): Promise<OciResponse> {
    const { session, signal } = this.#options
    const sent = session.headersFor(request.url)
    const response = await this.#send(request, sent)
    if (response.status !== 401 || !(await session.answer(request.url, response, sent, signal))) return response
    return this.#send(request, session.headersFor(request.url))
  }

  async #send(request: OciRequest, credentials: Readonly<Record<string, string>>): Promise<OciResponse> {
    const { http, signal } = this.#options
    const { method, url, headers = {}, body, maxBytes = MAX_ANSWER_BYTES, timeoutMs = REQUEST_MS } = request
    const response = await http.request({
      url,
      method,
      headers: {
        ...headers,
        ...credentials,
        'accept-encoding': 'identity',
        ...(method !== 'GET' && method !== 'HEAD' && { 'content-length': String(body?.size ?? 0) }),
      },
      ...(body && { body: body.open() }),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
    })
    const { status, headers: answered } = response
    const answer = { status, headers: answered, body: Buffer.alloc(0) }
    const collect = async (most: number): Promise<Buffer> =>
      collectBody(response.body, { maxBytes: most, tooMuch: () => this.#tooMuch(most) })
    if (request.headersOnly === true) response.body.on('error', () => {}).destroy()
    // A refusal has words of its own.
    else if (status >= 300) return { ...answer, body: await collect(MAX_ANSWER_BYTES) }
    else if (request.into === undefined) return { ...answer, body: await collect(maxBytes) }
    else {
      const tooMuch = () => this.#tooMuch(maxBytes)
      return { ...answer, savedDigest: await saveBody(response.body, { file: request.into, maxBytes, tooMuch }) }
    }
    return answer
  }

  #tooMuch(maxBytes: number): VmpkgError {
    return targetFailed(this.name, 'read an answer', `it is larger than ${maxBytes} bytes`)
  }

  url(below: string): URL {
    return ociUrl(this.#options.session.place, below)
  }

  /** Where an upload goes on. @throws {VmpkgError} `TARGET_FAILED` for another server */
  location({ headers }: Pick<OciResponse, 'headers'>): URL {
    return this.#sameServer(headers['location'] ?? '', this.url(''))
  }

  /** What is uploaded, and our token with it, goes to the registry and nowhere else. */
  #sameServer(text: string, from: URL): URL {
    const url = text !== '' && URL.canParse(text, from.href) ? new URL(text, from) : undefined
    if (url?.origin === from.origin) return url
    throw targetFailed(this.name, 'upload', 'the registry sends us to another server')
  }

  #noRights(reason: string): VmpkgError {
    return new VmpkgError('NO_RIGHTS', `${this.name} refuses us: ${reason}`, {
      hint: 'Log in with docker login, podman login or oras login, or write an entry into auth.conf.',
    })
  }
}

function explain({ method, url }: OciRequest): string {
  return `${method} ${url.pathname.replace(/^\/v2\//, '').slice(0, 200)}`
}

/** `404 MANIFEST_UNKNOWN`: the server's code, without its text. */
function describe(status: number, body: Buffer): string {
  const code = /"code"\s*:\s*"([A-Z_]{1,60})"/.exec(body.toString('utf8', 0, 64 * 1024))?.[1]
  return code === undefined ? String(status) : `${status} ${code}`
}
