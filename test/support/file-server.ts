/**
 * A web server on the loopback interface over a map of files. It answers ranges as RFC 9110 says and can misbehave in
 * one way at a time per request, chosen by `misbehave`.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'

export interface FileServer {
  readonly base: URL
  readonly files: Map<string, Buffer>
  /** Every request: method, path with query, headers. */
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[]
  /** Body bytes written so far. */
  sentBytes: number
  /** Return true to have answered, false to let the server answer properly. `count` counts requests from 1. */
  misbehave: ((response: ServerResponse, path: string, count: number, request: IncomingMessage) => boolean) | undefined
}

export async function startFileServer(
  t: Pick<TestContext, 'after'>,
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Promise<FileServer> {
  const server = createServer((request, response) => answer(state, request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const state: FileServer = {
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    files: new Map(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)])),
    requests: [],
    sentBytes: 0,
    misbehave: undefined,
  }
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return state
}

function answer(state: FileServer, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').slice(1).replace(/\?.*$/, '')
  state.requests.push({ path: request.url ?? '', headers: request.headers })
  if (state.misbehave?.(response, path, state.requests.length, request) === true) return
  const file = state.files.get(path)
  if (file === undefined) {
    response.writeHead(404).end('not here')
    return
  }
  const etag = `"${sha256(file).slice(0, 16)}"`
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const condition = request.headers['if-range']
  if (first === undefined || last === undefined || (condition !== undefined && condition !== etag)) {
    send(state, response, 200, file, { etag })
    return
  }
  const [start, end] = [Number(first), Math.min(Number(last) + 1, file.length)]
  if (start >= file.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
    return
  }
  const range = `bytes ${start}-${end - 1}/${file.length}`
  send(state, response, 206, file.subarray(start, end), { etag, 'content-range': range })
}

function send(
  state: FileServer,
  response: ServerResponse,
  status: number,
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  state.sentBytes += bytes.length
  response.writeHead(status, { ...headers, 'content-length': bytes.length }).end(bytes)
}
