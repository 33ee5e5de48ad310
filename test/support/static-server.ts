/** A plain static web server over a folder: what is on disk when it is asked for, nothing cached, nothing clever. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

export interface StaticServer extends AsyncDisposable {
  readonly base: URL
}

export async function startStaticServer(folder: string): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname))
    readFile(join(folder, path)).then(
      (bytes) => response.writeHead(200, { connection: 'close', 'content-length': bytes.length }).end(bytes),
      () => response.writeHead(404, { connection: 'close' }).end('not here'),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    base: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
