/** Serves a registry folder over HTTP until it is told to stop; on loopback unless somebody insists. */
import { isIP } from 'node:net'
import { VmpkgError } from '../errors.ts'
import { type AccessLine, type RegistryServer, serveRegistry as serve } from '../publish/registry-server.ts'

export interface ServeRequest {
  readonly registry: string
  /** `ADDRESS:PORT`; port 0 is any free one. */
  readonly listen: string
  /** Other machines may reach it. */
  readonly isPublic: boolean
  readonly onRequest: (line: AccessLine) => void
}

/** @throws {VmpkgError} `USAGE` `REGISTRY_INVALID` */
export async function serveRegistry({ registry, listen, isPublic, onRequest }: ServeRequest): Promise<RegistryServer> {
  const { host, port } = parseListen(listen)
  if (!isLoopback(host) && !isPublic) {
    throw new VmpkgError('USAGE', `${host} can be reached from other machines`, {
      hint: 'This server is for trying things out. Add --public when you mean it, or use a web server.',
    })
  }
  return serve({ folder: registry, host, port, onRequest })
}

function parseListen(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain ?? ''
  if ((isIP(host) !== 0 || host === 'localhost') && Number(port) <= 65_535) return { host, port: Number(port) }
  throw new VmpkgError('USAGE', `--listen takes ADDRESS:PORT, not ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'For example --listen 127.0.0.1:8080 or --listen [::1]:8080.',
  })
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
