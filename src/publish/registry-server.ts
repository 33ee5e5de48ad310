/**
 * `repo serve`: a registry folder over HTTP, for trying things out. Serves the files of a registry and nothing else: paths
 * are checked against their names, links are not followed, submissions and dot files do not exist. Ranges, conditions and
 * HEAD of the immutable files are the `send` library's; the envelope, which is replaced while it is served, is read at once.
 *
 * Source: RFC 9110. Test oracle: `curl`, and vmpkg's own client. Requests are hostile.
 */
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import send from 'send'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { ENVELOPE_PATH, readRegistryFile } from './registry-folder.ts'

export interface ServeOptions {
  readonly folder: string
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly onRequest?: (line: AccessLine) => void
}

export interface AccessLine {
  readonly client: string
  readonly method: string
  /** As it came, cut off; may hold anything. */
  readonly path: string
  readonly status: number
  /** Bytes of the body that were announced. */
  readonly bytes: number
}

export interface RegistryServer {
  readonly url: URL
  /** Ends open connections. */
  close(): Promise<void>
}

const ROOT = /^root\/[1-9][0-9]{0,15}\.json$/
const SNAPSHOT = /^snapshot\/[0-9]{8}T[0-9]{6}Z\.json$/
const NAMED =
  /^(?:index\/[0-9a-f]{64}\.jsonl\.zst|package\/[0-9a-f]{64}\.vmpkg|(?:channels|history)\/[0-9a-f]{64}\.json|(?:map|transport|blob)\/[0-9a-f]{64})$/
const YEAR_MS = 365 * 24 * 60 * 60 * 1000
const HEADERS_TIMEOUT_MS = 20_000

/** @throws {VmpkgError} `REGISTRY_INVALID` for a folder that is none, `USAGE` for an address that cannot be listened on */
export async function serveRegistry({ folder, host, port, onRequest }: ServeOptions): Promise<RegistryServer> {
  await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  const root = await realpath(folder)
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: 8192 }, (request, response) => {
    const client = request.socket.remoteAddress ?? '-' // gone with the connection
    response.once('close', () => onRequest?.(describe(client, request, response)))
    void answer(root, request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new VmpkgError('USAGE', `Cannot listen on ${host}:${port} (${systemErrorCode(cause) ?? 'unknown'})`, {
          hint: 'Choose another address with --listen, as in --listen 127.0.0.1:0 for any free port.',
          cause,
        }),
      ),
    )
    server.listen({ host, port }, resolve)
  })
  const { address, family, port: actual } = server.address() as AddressInfo
  return {
    url: new URL(`http://${family === 'IPv6' ? `[${address}]` : address}:${actual}/`),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff')
  const { method = '', url = '' } = request
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    refuse(response, 405)
    return
  }
  const path = url.slice(1).replace(/\?.*$/, '')
  if (path === ENVELOPE_PATH) await sendEnvelope(root, request, response)
  else if ((ROOT.test(path) || SNAPSHOT.test(path) || NAMED.test(path)) && (await isPlain(root, path))) {
    sendFile(root, path, request, response)
  } else refuse(response, 404)
}

/** A file of the registry itself: no link, in a folder that is no link. */
async function isPlain(root: string, path: string): Promise<boolean> {
  try {
    const full = join(root, path)
    if ((await realpath(full)) !== full) return false
    await using handle = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    return (await handle.stat()).isFile()
  } catch {
    return false // not there, not readable: the same to a client
  }
}

function sendFile(root: string, path: string, request: IncomingMessage, response: ServerResponse): void {
  const [, digest] = /\/([0-9a-f]{64})/.exec(path) ?? []
  // A strong tag: the name is the digest of the bytes.
  if (digest !== undefined) response.setHeader('etag', `"${digest}"`)
  response.setHeader('content-type', path.endsWith('.json') ? 'application/json' : 'application/octet-stream')
  send(request, `/${path}`, { root, dotfiles: 'deny', index: false, immutable: true, maxAge: YEAR_MS })
    .on('error', (error: Error & { readonly status?: number }) => refuse(response, error.status ?? 500))
    .on('directory', () => refuse(response, 404))
    .pipe(response)
}

async function sendEnvelope(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const bytes = await readRegistryFile(root, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
    const etag = `"${sha256(bytes)}"`
    const headers = { etag, 'cache-control': 'no-cache', 'content-type': 'application/json' }
    const known = (request.headers['if-none-match'] ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''))
    if (known.includes(etag) || known.includes('*')) {
      response.writeHead(304, headers).end()
      return
    }
    response.writeHead(200, { ...headers, 'content-length': bytes.length })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  } catch {
    refuse(response, 500) // it was there when the server started
  }
}

function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  for (const name of ['etag', 'cache-control', 'last-modified', 'content-range']) {
    if (status !== 416 || name !== 'content-range') response.removeHeader(name)
  }
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': 0 }).end()
}

function describe(client: string, { method = '', url = '' }: IncomingMessage, response: ServerResponse): AccessLine {
  const bytes = Number(response.getHeader('content-length') ?? 0)
  return {
    client,
    method,
    path: url.slice(0, 200),
    status: response.statusCode,
    bytes: method === 'HEAD' || response.statusCode === 304 ? 0 : bytes,
  }
}
