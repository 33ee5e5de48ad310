/**
 * The five requests of S3 that publishing needs, signed by aws4fetch, sent by the `Http` port, tried again where the
 * server or the line fails. Answers are bounded; nothing follows a redirect. Source: Amazon S3 API Reference, Signature
 * Version 4. Test oracle: Debian's swift with its s3api.
 */
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Http } from '../ports.ts'
import { collectBody, saveBody } from './response-body.ts'
import type { S3Credentials } from './s3-credentials.ts'
import { targetFailed } from './target.ts'
import type { BucketPlace } from './target-location.ts'

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  /** Below the prefix; the bucket itself when absent. */
  readonly path?: string
  readonly query?: Readonly<Record<string, string>>
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: S3Body
  readonly maxBytes?: number
  /** Where the body goes that was asked for; the answer then has none. */
  readonly into?: string
  readonly timeoutMs?: number
}

export interface S3Body {
  readonly size: number
  readonly sha256: string
  /** Called for each try. */
  open(): Uint8Array | Readable
}

export interface S3Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Whether an earlier try may have been carried out although no answer came. */
  readonly isRepeated: boolean
}

export interface S3BucketOptions {
  readonly name: string
  readonly place: BucketPlace
  readonly region: string
  readonly endpoint: URL | undefined
  readonly credentials: S3Credentials
  readonly http: Http
  readonly signal?: AbortSignal | undefined
}

const TRIES = 6
const PAUSE_MS = 200
const REQUEST_MS = 15 * 60_000
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

export class S3Bucket {
  readonly #options: S3BucketOptions

  constructor(options: S3BucketOptions) {
    this.#options = options
  }

  /** @param allowed statuses that are answers; 2xx always is. @throws {VmpkgError} `TARGET_FAILED` `NO_RIGHTS` `ABORTED` */
  async request(request: S3Request, allowed: readonly number[] = []): Promise<S3Response> {
    const { name, signal } = this.#options
    for (let attempt = 1; ; attempt++) {
      let failure: unknown
      try {
        const response = await this.#once(request)
        const { status } = response
        if ((status >= 200 && status < 300) || allowed.includes(status)) return { ...response, isRepeated: attempt > 1 }
        failure = describe(status, response.body)
        if (status === 401 || status === 403) throw this.#noRights(String(failure))
        if (status !== 409 && status !== 429 && status < 500)
          throw targetFailed(name, explain(request), String(failure))
      } catch (error) {
        if (error instanceof VmpkgError) throw error
        if (signal?.aborted) throw new VmpkgError('ABORTED', `Publishing to ${name} was interrupted`, { cause: error })
        failure = error
      }
      if (attempt === TRIES || request.timeoutMs !== undefined) {
        const reason = failure instanceof Error ? failure.message : String(failure)
        throw targetFailed(name, explain(request), reason, failure)
      }
      await sleep(PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()))
    }
  }

  async #once({
    method,
    path,
    query = {},
    headers = {},
    body,
    maxBytes = MAX_ANSWER_BYTES,
    into,
    timeoutMs = REQUEST_MS,
  }: S3Request): Promise<Omit<S3Response, 'isRepeated'>> {
    const { http, credentials, region, signal } = this.#options
    const { AwsV4Signer } = await import('aws4fetch')
    const url = this.#locate(path)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
    const signed = await new AwsV4Signer({
      ...credentials,
      method,
      url: url.href,
      service: 's3',
      region,
      headers: { ...headers, 'x-amz-content-sha256': body?.sha256 ?? EMPTY_SHA256 },
    }).sign()
    const response = await http.request({
      url: signed.url,
      method,
      headers: {
        ...Object.fromEntries(signed.headers),
        'content-length': String(body?.size ?? 0),
        'accept-encoding': 'identity',
      },
      ...(body && { body: body.open() }),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
    })
    const { status, headers: answered } = response
    if (into === undefined || status >= 300) {
      return {
        status,
        headers: answered,
        body: await collectBody(response.body, { maxBytes, tooMuch: () => this.#tooMuch(maxBytes) }),
      }
    }
    await saveBody(response.body, { file: into, maxBytes, tooMuch: () => this.#tooMuch(maxBytes) })
    return { status, headers: answered, body: Buffer.alloc(0) }
  }

  /** Custom servers have one name for all buckets; Amazon's have one for each, unless a dot in it breaks the certificate. */
  #locate(path: string | undefined): URL {
    const { endpoint, region, place } = this.#options
    const { bucket, prefix } = place
    const isInHost = endpoint === undefined && !bucket.includes('.')
    const base = endpoint ?? new URL(`https://${isInHost ? `${bucket}.` : ''}s3.${region}.amazonaws.com/`)
    const key = path === undefined ? '' : `${prefix}${path}`
    return new URL(`${base.pathname.replace(/\/$/, '')}/${isInHost ? '' : `${bucket}/`}${key}`, base)
  }

  #tooMuch(maxBytes: number): VmpkgError {
    return targetFailed(this.#options.name, 'read an answer', `it is larger than ${maxBytes} bytes`)
  }

  #noRights(reason: string): VmpkgError {
    return new VmpkgError('NO_RIGHTS', `${this.#options.name} refuses the key: ${reason}`, {
      hint: 'Check the AWS variables or profile, the region, and what the key may do with the bucket.',
    })
  }
}

function explain({ method, path }: S3Request): string {
  return `${method} ${path ?? 'the bucket'}`
}

/** `404 NoSuchBucket`: the server's code, without its text, which may repeat what was signed. */
function describe(status: number, body: Buffer): string {
  const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(body.toString())?.[1]
  return code === undefined ? String(status) : `${status} ${code}`
}
