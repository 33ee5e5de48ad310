/** Every kind of place that a registry can be published to, on real servers, with the plain web server its readers use (OCI: itself). */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemHttp } from '../../src/node/http.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { openTarget } from '../../src/publish/open-target.ts'
import type { PublishTarget } from '../../src/publish/target.ts'
import { parseTarget } from '../../src/publish/target-location.ts'
import { startConditionalBucket } from './conditional-bucket.ts'
import { startOciRegistry, withoutOci } from './oci-registry.ts'
import { startStaticServer } from './static-server.ts'
import { startSwift, withoutSwift } from './swift-server.ts'
import { startRsyncDaemon, startSftpServer, withoutTransfer } from './transfer-servers.ts'

export const PLACE_KINDS = ['folder', 'sftp', 'rsync+ssh', 'rsync', 's3-swift', 's3-conditional', 'oci'] as const
export type PlaceKind = (typeof PLACE_KINDS)[number]

export interface PublishPlace extends AsyncDisposable {
  readonly kind: PlaceKind
  /** As a publisher writes it. */
  readonly address: string
  /** What a publisher's environment has. */
  readonly env: Readonly<Record<string, string>>
  /** Where readers find the registry. */
  readonly base: URL
  /** Folder on the server; buckets have none. */
  readonly folder: string | undefined
  /** A publisher's connection of its own, to the registry or to another one in a folder below it. */
  open(below?: string): Promise<PublishTarget>
}

/** A reason to skip, or false. */
export function withoutPlace(kind: PlaceKind): string | false {
  if (kind === 'folder' || kind === 's3-conditional') return false
  if (kind === 'oci') return withoutOci
  return kind === 's3-swift' ? withoutSwift : withoutTransfer
}

export async function startPlace(kind: PlaceKind): Promise<PublishPlace> {
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-place-'))
  const stack = new AsyncDisposableStack()
  stack.defer(async () => rm(work, { recursive: true, force: true }))
  try {
    const { address, env = {}, base, folder } = await start(kind, work, stack)
    return {
      kind,
      address,
      base,
      folder,
      env,
      open: async (below) =>
        openTarget(parseTarget(below === undefined ? address : address.replace(/(?=\?|$)/, `/${below}`)), {
          processes: systemProcesses,
          http: systemHttp({}),
          env: { ...process.env, ...env },
          home: work,
        }),
      [Symbol.asyncDispose]: async () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

interface Started {
  readonly address: string
  readonly env?: Readonly<Record<string, string>>
  readonly base: URL
  readonly folder: string | undefined
}

async function start(kind: PlaceKind, work: string, stack: AsyncDisposableStack): Promise<Started> {
  if (kind === 's3-swift' || kind === 's3-conditional') {
    const server = stack.use(kind === 's3-swift' ? await startSwift(join(work, 's')) : await startConditionalBucket())
    const bucket = await server.makeBucket('registry')
    const address = `s3://registry/some/place?endpoint=${encodeURIComponent(server.endpoint)}`
    return { address, env: server.env, base: new URL('some/place/', bucket), folder: undefined }
  }
  if (kind === 'oci') {
    const { host } = stack.use(await startOciRegistry(join(work, 's')))
    const address = `oci+http://${host}/some/place`
    return { address, base: new URL(`${address}/`), folder: undefined }
  }
  const folder = join(work, 'served')
  await mkdir(folder)
  const { base } = stack.use(await startStaticServer(folder))
  if (kind === 'folder') return { address: folder, base, folder }
  if (kind === 'rsync') {
    const { address, password } = stack.use(await startRsyncDaemon(join(work, 's'), folder))
    return { address, env: { RSYNC_PASSWORD: password }, base, folder }
  }
  const server = stack.use(await startSftpServer(join(work, 's')))
  return { address: server.address(kind, folder), base, folder }
}
