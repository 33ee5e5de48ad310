/**
 * An S3-compatible bucket as a place to publish to. A PUT is whole or not at all for readers. The envelope is swapped by a
 * conditional PUT (`If-Match`) where the server honours that, which one harmless PUT finds out; else under announcements,
 * for which written objects must be listed at once, as every current server does. Source: Amazon S3 API Reference,
 * "Conditional writes". Test oracle: Debian's swift (no conditions), a server of ours that has them.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { sha256 } from '../model/digest.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import type { Http } from '../ports.ts'
import { swapByAnnouncement } from './announced-swap.ts'
import { inParallel } from './in-parallel.ts'
import { ENVELOPE_PATH } from './registry-folder.ts'
import { type S3Body, S3Bucket } from './s3-bucket.ts'
import { findEndpoint, findRegion, findS3Credentials } from './s3-credentials.ts'
import { SWAP_FOLDER } from './swap-lock.ts'
import { type FetchedFile, type PublishTarget, registryChanged, targetFailed } from './target.ts'
import { areEqual } from './target-folder.ts'
import { type BucketPlace, parseEndpoint } from './target-location.ts'

export interface S3Options {
  readonly http: Http
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly signal?: AbortSignal | undefined
}

const PARALLEL = 8
const FOR_EVER = 'public, max-age=31536000, immutable'
/** What no object has. */
const NO_ETAG = `"${'0'.repeat(32)}"`

/** @throws {VmpkgError} `NO_RIGHTS` `USAGE` */
export async function s3Target(name: string, place: BucketPlace, options: S3Options): Promise<PublishTarget> {
  const { http, env, home, signal } = options
  const named = findEndpoint(env)
  const bucket = new S3Bucket({
    name,
    place,
    region: place.region ?? findRegion(env) ?? 'us-east-1',
    endpoint: place.endpoint ?? (named === undefined ? undefined : parseEndpoint(named)),
    credentials: await findS3Credentials(env, home),
    http,
    signal,
  })
  return new S3Target(name, place, bucket, signal)
}

class S3Target implements PublishTarget {
  readonly name: string
  readonly #prefix: string
  readonly #bucket: S3Bucket
  readonly #signal: AbortSignal | undefined
  #isConditional: boolean | undefined

  constructor(name: string, { prefix }: BucketPlace, bucket: S3Bucket, signal: AbortSignal | undefined) {
    this.name = name
    this.#prefix = prefix
    this.#bucket = bucket
    this.#signal = signal
  }

  async sizes(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    // Not by HEAD: some servers (eventlet, below swift) answer it with a body that nothing expects. Of the names that
    // begin with a name it is itself the first.
    await inParallel(PARALLEL, paths, async (path) => {
      const key = `${this.#prefix}${path}`
      const [first] = (await this.#listPage({ prefix: key, 'max-keys': '1' })).Contents ?? []
      if (first?.Key === key) found.set(path, Number(first.Size))
    })
    return found
  }

  async list(folders: readonly string[]): Promise<readonly string[]> {
    const paths: string[] = []
    for (const folder of folders) paths.push(...(await this.#listFolder(folder)))
    return paths
  }

  async #listFolder(folder: string): Promise<readonly string[]> {
    const paths: string[] = []
    for (let token: string | undefined = ''; token !== undefined; ) {
      const next: Page = await this.#listPage({
        prefix: `${this.#prefix}${folder}/`,
        ...(token !== '' && { 'continuation-token': token }),
      })
      paths.push(...(next.Contents ?? []).map(({ Key }) => `${folder}/${basename(Key)}`))
      token = next.IsTruncated === 'true' ? next.NextContinuationToken : undefined
    }
    return paths
  }

  async #listPage(query: Readonly<Record<string, string>>): Promise<Page> {
    const { XMLParser } = await import('fast-xml-parser')
    const parser = new XMLParser({ parseTagValue: false, processEntities: false, isArray: (tag) => tag === 'Contents' })
    const { body } = await this.#bucket.request({ method: 'GET', query: { 'list-type': '2', ...query } })
    const { ListBucketResult: page } = parser.parse(body) as { readonly ListBucketResult?: Page | '' }
    if (page === undefined) throw targetFailed(this.name, 'list the bucket', 'the answer is no listing')
    return page === '' ? {} : page
  }

  async fetch(files: readonly FetchedFile[], into: string): Promise<void> {
    await inParallel(PARALLEL, files, async ({ path, maxBytes }) => {
      await this.#bucket.request({ method: 'GET', path, maxBytes, into: join(into, path) }, [404])
    })
  }

  async store(folder: string, paths: readonly string[], onStored: (path: string) => void): Promise<void> {
    // A server that does not know the condition puts the same bytes there again; root files are compared afterwards.
    const condition: Record<string, string> = (await this.#honoursConditions()) ? { 'if-none-match': '*' } : {}
    await inParallel(PARALLEL, paths, async (path) => {
      const body = await fileBody(join(folder, path))
      await this.#put(path, body, { 'cache-control': FOR_EVER, ...condition }, [412])
      onStored(path)
    })
  }

  async remove(paths: readonly string[]): Promise<void> {
    await inParallel(PARALLEL, paths, async (path) => {
      await this.#bucket.request({ method: 'DELETE', path }, [404])
    })
  }

  async swapEnvelope(before: Uint8Array | undefined, after: Uint8Array): Promise<void> {
    if (await this.#honoursConditions()) return this.#swapByCondition(before, after)
    const put = async (path: string, bytes: Uint8Array, timeoutMs: number | undefined): Promise<void> => {
      await this.#put(path, bytesBody(bytes), { 'cache-control': 'no-cache' }, [], timeoutMs)
    }
    return swapByAnnouncement({ target: this, put, before, after, signal: this.#signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #swapByCondition(before: Uint8Array | undefined, after: Uint8Array): Promise<void> {
    const present = await this.#readEnvelope()
    if (!areEqual(present?.bytes, before)) throw registryChanged(this.name)
    const condition: Record<string, string> =
      present === undefined ? { 'if-none-match': '*' } : { 'if-match': present.etag }
    const headers = { 'cache-control': 'no-cache', ...condition }
    const { status, isRepeated } = await this.#put(ENVELOPE_PATH, bytesBody(after), headers, [404, 409, 412])
    if (status < 300) return
    // An answer that was lost on its way makes the second try find our own envelope.
    if (isRepeated && areEqual((await this.#readEnvelope())?.bytes, after)) return
    throw registryChanged(this.name)
  }

  async #readEnvelope(): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined> {
    const request = { method: 'GET', path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelopeFile } as const
    const { status, body, headers } = await this.#bucket.request(request, [404])
    return status === 404 ? undefined : { bytes: body, etag: headers['etag'] ?? NO_ETAG }
  }

  /** Puts a file under a condition that cannot be met: who honours it refuses, who does not writes a file of no meaning. */
  async #honoursConditions(): Promise<boolean> {
    if (this.#isConditional !== undefined) return this.#isConditional
    const path = `${SWAP_FOLDER}/probe`
    const { status } = await this.#put(path, bytesBody(new Uint8Array()), { 'if-match': NO_ETAG }, [400, 404, 412, 501])
    if (status < 300) await this.remove([path])
    this.#isConditional = status === 404 || status === 412
    return this.#isConditional
  }

  async #put(
    path: string,
    body: S3Body,
    headers: Readonly<Record<string, string>>,
    allowed: readonly number[],
    timeoutMs?: number,
  ) {
    const type = path.endsWith('.json') ? 'application/json' : 'application/octet-stream'
    return this.#bucket.request(
      {
        method: 'PUT',
        path,
        body,
        headers: { 'content-type': type, ...headers },
        ...(timeoutMs !== undefined && { timeoutMs }),
      },
      allowed,
    )
  }
}

interface Page {
  readonly Contents?: readonly { readonly Key: string; readonly Size?: string }[]
  readonly IsTruncated?: string
  readonly NextContinuationToken?: string
}

function bytesBody(bytes: Uint8Array): S3Body {
  return { size: bytes.length, sha256: sha256(bytes), open: () => bytes }
}

async function fileBody(file: string): Promise<S3Body> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { size: (await stat(file)).size, sha256: hash.digest('hex'), open: () => createReadStream(file) }
}
