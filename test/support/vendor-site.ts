/**
 * A vendor that does not exist, with a key of its own, on a server of this machine: what `fetchUpstream` is pointed at,
 * and a workspace to do it in. The same code checks the real vendors, whose signed lists are in test/fixtures/upstream.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createMessage, type PrivateKey, sign } from 'openpgp'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import { systemOutside } from '../../src/node/outside.ts'
import type { VendorTrust } from '../../src/operations/upstream.ts'
import { type FetchUpstreamRequest, fetchUpstream } from '../../src/operations/upstream-fetch.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { readCertificate } from '../../src/trust/certificate.ts'
import { parseVendors } from '../../src/upstream/vendors.ts'
import { type FileServer, startFileServer } from './file-server.ts'
import { makeTempFolder } from './temp-folder.ts'
import { testPrivateKey } from './test-keys.ts'

export interface VendorSite {
  readonly server: FileServer
  readonly workspace: Workspace
  /** Where verified images are kept. */
  readonly cache: string
  readonly key: PrivateKey
  readonly trust: VendorTrust
  /** Publishes an image: the list of checksums, and its signature by the given key. */
  publish(image: Uint8Array, options?: { readonly by?: PrivateKey; readonly list?: string }): Promise<void>
  fetch(changes?: Partial<FetchUpstreamRequest>): ReturnType<typeof fetchUpstream>
}

export const IMAGE = '1.2/disk-1.2-x86_64.raw'
export const LIST = '1.2/SHA256SUMS'

export async function makeVendorSite(
  t: TestContext,
  kind: 'detached' | 'image' | 'none' = 'detached',
): Promise<VendorSite> {
  const server = await startFileServer(t)
  const folder = await makeTempFolder(t)
  const key = await testPrivateKey('vendor')
  const fingerprint = parseFingerprint(key.getFingerprint())
  const signature =
    kind === 'none'
      ? '{ kind: none }'
      : `{ kind: ${kind}, file: "${kind === 'image' ? '{version}/disk-{version}-{arch}.raw.asc' : '{version}/SHA256SUMS.gpg'}" }`
  const vendors = parseVendors(`vendors: 1
acme:
  title: Acme
  keys: [{ fingerprint: ${fingerprint}, owner: Acme }]
  flavours:
    disk:
      summary: A disk
      format: raw
      bases: [https://acme.example/]
      file: '{version}/disk-{version}-{arch}.raw'
      checksums: { file: '{version}/SHA256SUMS', algorithm: sha256 }
      signature: ${signature}
      arches: { amd64: x86_64 }
      versions: ['1.0', '1.1', '1.2']
`)
  const certificate = await readCertificate(key.toPublic().write())
  const trust: VendorTrust = { vendors: async () => vendors, certificate: async () => certificate }
  const workspace = await openWorkspace({
    outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false }),
    root: join(folder, 'root'),
    connect: 'private:upstream',
    env: {},
    uid: process.getuid?.() ?? 0,
    home: folder,
    folder,
    command: ['test'],
    write: true,
  })
  t.after(() => workspace.close())
  return {
    server,
    workspace,
    cache: join(workspace.paths.cache, 'upstream'),
    key,
    trust,
    async publish(image, { by = key, list } = {}) {
      const digest = createHash('sha256').update(image).digest('hex')
      const text = list ?? `${digest} *disk-1.2-x86_64.raw\n`
      server.files.set(IMAGE, Buffer.from(image))
      server.files.set(LIST, Buffer.from(text))
      server.files.set('1.2/SHA256SUMS.gpg', Buffer.from(await signDetached(Buffer.from(text), by)))
      server.files.set(`${IMAGE}.asc`, Buffer.from(await signDetached(image, by)))
    },
    fetch: (changes = {}) =>
      fetchUpstream(
        workspace,
        {
          reference: 'acme:1.2:disk',
          mirror: server.base.href,
          crossChecks: [],
          digests: [],
          certificates: [],
          ...changes,
        },
        trust,
      ),
  }
}

export async function signDetached(bytes: Uint8Array, by: PrivateKey, date = new Date()): Promise<string> {
  const message = await createMessage({ binary: bytes })
  return String(await sign({ message, signingKeys: by, detached: true, format: 'armored', date }))
}
