/**
 * Serves a folder as a real line would: at most 128 KiB are on their way at any time, and each piece is counted. The loopback
 * interface alone would take megabytes for a reader that is busy or dead. Ranges are those of RFC 9110.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface CountingServer extends AsyncDisposable {
  readonly base: URL
  /** Body bytes sent so far. */
  sentBytes: number
  /** Requests so far, by path. */
  readonly requests: Map<string, number>
  /** Called after each piece; on true nothing more is sent on that connection. */
  onPiece: ((sentBytes: number) => boolean) | undefined
}

const PIECE = 64 * 1024
const WINDOW = 64 * 1024

export async function startCountingServer(folder: string): Promise<CountingServer> {
  const server = createServer((request, response) => {
    answer(state, folder, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const state: CountingServer = {
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    sentBytes: 0,
    requests: new Map(),
    onPiece: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return state
}

async function answer(
  state: CountingServer,
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').slice(1)
  state.requests.set(path, (state.requests.get(path) ?? 0) + 1)
  const found = await stat(join(folder, path)).catch(() => undefined)
  if (found === undefined || !found.isFile() || path.includes('..')) {
    response.writeHead(404).end()
    return
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(first ?? 0)
  const end = last === undefined ? found.size : Math.min(Number(last) + 1, found.size)
  const headers = { 'content-length': end - start, etag: `"${path.slice(-32)}"` }
  if (first === undefined) response.writeHead(200, headers)
  else response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end - 1}/${found.size}` })
  const { socket } = response
  await using file = await open(join(folder, path))
  for (let position = start; position < end && !response.destroyed; ) {
    if (socket !== null && countUnread(socket) > WINDOW) {
      await delay(1)
      continue
    }
    const piece = Buffer.alloc(Math.min(PIECE, end - position))
    await file.read(piece, 0, piece.length, position)
    state.sentBytes += piece.length
    position += piece.length
    response.write(piece)
    // Whoever is being killed reads no more, but its sockets stay open until the kernel is done with it.
    if (state.onPiece?.(state.sentBytes) === true) return
  }
  response.end()
}

/** Bytes on their way to the other end, which is on this host too: in both buffers. Source: proc_net_tcp(5). */
function countUnread({ localPort = 0, remotePort = 0, writableLength }: Socket): number {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')
  const [ours, theirs] = [`:${hex(localPort)} `, `:${hex(remotePort)} `]
  let unread = writableLength
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/)
    const [sending = '0', received = '0'] = queues.split(':')
    if (`${local} `.endsWith(ours) && `${remote} `.endsWith(theirs)) unread += Number.parseInt(sending, 16)
    if (`${local} `.endsWith(theirs) && `${remote} `.endsWith(ours)) unread += Number.parseInt(received, 16)
  }
  return unread
}
