/**
 * A bucket in memory that has what Debian's swift lacks: conditional PUT, as Amazon documents it ("Conditional writes":
 * 412 where the condition is not met, 404 for `If-Match` without an object). Signatures are checked by doing them anew.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AwsV4Signer } from 'aws4fetch'
import type { BucketServer } from './swift-server.ts'

interface StoredObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly cacheControl: string
}

export interface ConditionalBucket extends BucketServer {
  /** By path, as in `/registry/some/place/envelope.json`. */
  readonly objects: ReadonlyMap<string, StoredObject>
  /** Return true to have answered instead. */
  misbehave: ((request: IncomingMessage, response: ServerResponse, isDone: boolean) => boolean) | undefined
}

const KEY = { accessKeyId: 'AKIDTEST', secretAccessKey: 'not a real secret', region: 'us-east-1' }

export async function startConditionalBucket(): Promise<ConditionalBucket> {
  const objects = new Map<string, StoredObject>()
  const server = createServer((request, response) => {
    collect(request)
      .then(async (body) => answer(state, objects, request, body, response))
      .catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const state: ConditionalBucket = {
    endpoint,
    objects,
    env: { AWS_ACCESS_KEY_ID: KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey, AWS_REGION: KEY.region },
    misbehave: undefined,
    makeBucket: async (name) => new URL(`${endpoint}/${name}/`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return state
}

async function collect(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function answer(
  state: ConditionalBucket,
  objects: Map<string, StoredObject>,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', state.endpoint)
  const isReader = request.headers.authorization === undefined && ['GET', 'HEAD'].includes(request.method ?? '')
  if (!isReader && !(await isSigned(request, url, body))) return refuse(response, 403, 'SignatureDoesNotMatch')
  if (state.misbehave?.(request, response, false) === true) return
  const result = handle(objects, request, url, body)
  if (state.misbehave?.(request, response, true) === true) return
  if (result.code !== undefined) return refuse(response, result.status, result.code)
  response.writeHead(result.status, { ...result.headers, 'content-length': result.body?.length ?? 0 })
  response.end(request.method === 'HEAD' ? undefined : result.body)
}

interface Result {
  readonly status: number
  readonly code?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

function handle(objects: Map<string, StoredObject>, request: IncomingMessage, url: URL, body: Buffer): Result {
  const path = url.pathname
  const present = objects.get(path)
  switch (request.method ?? '') {
    case 'GET':
    case 'HEAD': {
      if (url.searchParams.get('list-type') === '2') return { status: 200, body: listing(objects, url) }
      if (present === undefined) return { status: 404, code: 'NoSuchKey' }
      const { bytes, etag, cacheControl } = present
      return { status: 200, headers: { etag, 'cache-control': cacheControl }, body: bytes }
    }
    case 'PUT': {
      const { 'if-match': match, 'if-none-match': noneMatch } = request.headers
      if (match !== undefined && present === undefined) return { status: 404, code: 'NoSuchKey' }
      if (match !== undefined && match !== present?.etag) return { status: 412, code: 'PreconditionFailed' }
      if (noneMatch === '*' && present !== undefined) return { status: 412, code: 'PreconditionFailed' }
      const etag = `"${createHash('md5').update(body).digest('hex')}"`
      objects.set(path, { bytes: body, etag, cacheControl: String(request.headers['cache-control']) })
      return { status: 200, headers: { etag } }
    }
    case 'DELETE':
      objects.delete(path)
      return { status: 204 }
    default:
      return { status: 405, code: 'MethodNotAllowed' }
  }
}

/** Two a page, so that publishers have to go on. */
function listing(objects: ReadonlyMap<string, StoredObject>, url: URL): Buffer {
  const bucket = url.pathname.split('/')[1] ?? ''
  const prefix = url.searchParams.get('prefix') ?? ''
  const after = url.searchParams.get('continuation-token') ?? ''
  const keys = [...objects.keys()].map((path) => path.slice(bucket.length + 2)).filter((key) => key.startsWith(prefix))
  const rest = keys.toSorted().filter((key) => key > after)
  const page = rest.slice(0, Math.min(2, Number(url.searchParams.get('max-keys') ?? '2')))
  const more = rest.length > page.length
  const token = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
  const contents = page
    .map(
      (key) => `<Contents><Key>${key}</Key><Size>${objects.get(`/${bucket}/${key}`)?.bytes.length}</Size></Contents>`,
    )
    .join('')
  return Buffer.from(`<ListBucketResult>${contents}<IsTruncated>${more}</IsTruncated>${token}</ListBucketResult>`)
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`)
}

async function isSigned(request: IncomingMessage, url: URL, body: Buffer): Promise<boolean> {
  const { authorization = '' } = request.headers
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? []
  const headers: Record<string, string> = {}
  for (const name of names.filter((one) => one !== 'host')) headers[name] = String(request.headers[name])
  const digest = createHash('sha256').update(body).digest('hex')
  if (request.headers['x-amz-content-sha256'] !== digest) return false
  const datetime = String(request.headers['x-amz-date'])
  const options = { ...KEY, service: 's3', method: request.method ?? 'GET', url: url.href, headers, datetime }
  const signed = await new AwsV4Signer(options).sign()
  return signed.headers.get('authorization') === authorization
}
