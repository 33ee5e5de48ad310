/** A server in front of an OCI registry that passes requests on, unless the test answers one itself. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface OciProxy extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string
  /** `GET /v2/…`, in their order. */
  readonly requests: string[]
  /** True where it has answered. */
  misbehave: ((incoming: IncomingMessage, response: ServerResponse) => boolean) | undefined
}

/** @param port of the registry on this host; nobody behind it without */
export async function startOciProxy(port?: number): Promise<OciProxy> {
  const server = createServer((incoming, response) => {
    proxy.requests.push(`${incoming.method} ${incoming.url}`)
    if (proxy.misbehave?.(incoming, response) === true) return
    // The name that it was asked under is the one that it sends uploads to.
    const { method, url, headers } = incoming
    const behind = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => response.destroy()).pipe(response)
    })
    behind.on('error', () => response.destroy())
    incoming.on('error', () => behind.destroy()).on('close', () => !incoming.complete && behind.destroy())
    incoming.pipe(behind)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: OciProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    misbehave: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
