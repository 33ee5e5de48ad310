/** A proxy on the loopback interface as RFC 9110 has it: CONNECT makes a tunnel, other requests come in absolute form. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request as send } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface TestProxy {
  readonly url: URL
  /** What it was told: the request line's target and the headers. */
  readonly seen: { readonly method: string; readonly target: string; readonly headers: IncomingHttpHeaders }[]
  /** Answers CONNECT with this status instead of a tunnel. */
  refuse: number | undefined
}

export async function startProxy(t: Pick<TestContext, 'after'>): Promise<TestProxy> {
  const server = createServer((request, response) => {
    const target = request.url ?? ''
    state.seen.push({ method: request.method ?? '', target, headers: request.headers })
    const { 'proxy-authorization': _own, 'proxy-connection': _also, ...headers } = request.headers
    const onwards = send(target, { headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onwards.on('error', () => response.destroy())
    onwards.end()
  })
  server.on('connect', (request, socket) => {
    state.seen.push({ method: 'CONNECT', target: request.url ?? '', headers: request.headers })
    socket.on('error', () => {})
    if (state.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${state.refuse} Refused\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const [host, port] = (request.url ?? '').split(':')
    const tunnel = connect({ host: host ?? '', port: Number(port) }, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      tunnel.pipe(socket)
      socket.pipe(tunnel)
    })
    tunnel.on('error', () => socket.destroy())
    socket.on('close', () => tunnel.destroy())
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy() // tunnels are no longer the server's own
    server.close()
    await once(server, 'close')
  })
  const state: TestProxy = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    seen: [],
    refuse: undefined,
  }
  return state
}
