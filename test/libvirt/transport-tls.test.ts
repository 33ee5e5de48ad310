/** TLS and plain TCP to a real libvirtd, and to servers that are not what they should be. */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createServer, type TLSSocket } from 'node:tls'
import { Connect } from '../../src/libvirt/connect.ts'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { ConnectionClosed, LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import type { CallOptions } from '../../src/libvirt/rpc.ts'
import { dialTls } from '../../src/libvirt/transport-tls.ts'
import { resolveUri, type TlsTarget } from '../../src/libvirt/uri.ts'
import { type Authority, makeAuthority, makeRevocationList } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { makePlace, type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const fails = (name: LibvirtErrorName, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LibvirtError, String(error))
  assert.deepEqual([error.codeName, error.local], [name, true], error.message)
  assert.match(error.message, pattern)
  return true
}

/** A folder with the files of a client of this authority. */
function makeClient(folder: string, name: string, authority: Authority, isExpired = false): string {
  const own = join(folder, name)
  mkdirSync(own)
  authority.issue(own, 'client', { isExpired })
  copyFileSync(authority.file, join(own, 'cacert.pem'))
  return own
}

describe('Connect by TLS', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let daemon: PrivateLibvirt
  let authority: Authority
  let client: string
  let server: string
  let [tls, tcp] = [0, 0]
  const uri = (pkipath: string, more = '', host = 'localhost') =>
    `test://${host}:${tls}/default?pkipath=${pkipath}${more}`
  before(async () => {
    const place = await makePlace()
    authority = makeAuthority(join(place.folder, 'ca'))
    server = join(place.folder, 'server')
    mkdirSync(server)
    authority.issue(server, 'server', { names: ['DNS:localhost'] })
    // The daemon runs as somebody else than the test.
    chmodSync(join(server, 'serverkey.pem'), 0o644)
    client = makeClient(place.folder, 'client', authority)
    ;[tls, tcp] = [await freePort(), await freePort()]
    const config = `
      listen_tls = 1
      listen_tcp = 1
      listen_addr = "127.0.0.1"
      tls_port = "${tls}"
      tcp_port = "${tcp}"
      auth_tcp = "none"
      ca_file = "${authority.file}"
      cert_file = "${server}/servercert.pem"
      key_file = "${server}/serverkey.pem"
    `
    daemon = await startPrivateLibvirt({ place, config, args: ['--listen'] })
  })
  after(() => daemon?.stop())

  test('works, with TLS 1.3 and with 1.2', async () => {
    for (const priority of ['', '&tls_priority=NORMAL:-VERS-TLS1.3', '&tls_priority=NORMAL:-VERS-ALL:%2BVERS-TLS1.3']) {
      await using connect = await Connect.open(uri(client, priority))
      const domain = await connect.domainLookupByName({ name: 'test' })
      assert.equal(domain?.name, 'test')
      const texts = await Promise.all(Array.from({ length: 50 }, () => domain.getXMLDesc()))
      assert.equal(new Set(texts).size, 1)
    }
  })

  test('works over plain TCP where the daemon allows it', async () => {
    await using connect = await Connect.open(`test+tcp://127.0.0.1:${tcp}/default`)
    assert.equal((await connect.listAllDomains()).length, 1)
  })

  test('refuses a server of another name, unless told not to look', async () => {
    await assert.rejects(
      Connect.open(uri(client, '', '127.0.0.1')),
      fails('authFailed', /certificate of 127\.0\.0\.1:\d+ is for other names .*no_verify=1/),
    )
    await using connect = await Connect.open(uri(client, '&no_verify=1', '127.0.0.1'))
    assert.equal(connect.closed, undefined)
  })

  test('refuses a server of another authority', async () => {
    const other = makeAuthority(join(daemon.folder, 'other'), 'another authority')
    const own = makeClient(daemon.folder, 'client-of-another', other)
    await assert.rejects(
      Connect.open(uri(own)),
      fails('authFailed', /is signed by another authority \(checked by .*cacert\.pem\)/),
    )
  })

  test('says that the daemon refused the client, and why that may be', async () => {
    const stranger = makeClient(daemon.folder, 'stranger', makeAuthority(join(daemon.folder, 'third'), 'third'))
    copyFileSync(authority.file, join(stranger, 'cacert.pem'))
    const late = makeClient(daemon.folder, 'late', authority, true)
    const bare = makeClient(daemon.folder, 'bare', authority)
    rmSync(join(bare, 'clientkey.pem'))
    for (const priority of ['', '&tls_priority=NORMAL:-VERS-TLS1.3']) {
      await assert.rejects(
        Connect.open(uri(stranger, priority)),
        fails('authFailed', /did not accept this client: .*clientcert\.pem must be signed/),
      )
      await assert.rejects(
        Connect.open(uri(late, `&no_sanity=1${priority}`)),
        fails('authFailed', /did not accept this client/),
      )
      await assert.rejects(
        Connect.open(uri(bare, priority)),
        fails('authFailed', /no client certificate was shown, since .*clientkey\.pem is missing/),
      )
    }
    await assert.rejects(
      Connect.open(uri(late)),
      fails('systemError', /client certificate .*clientcert\.pem has expired on /),
    )
  })

  test('refuses a server whose certificate was revoked', async () => {
    const careful = makeClient(daemon.folder, 'careful', authority)
    makeRevocationList(join(daemon.folder, 'ca'), join(server, 'servercert.pem'), join(careful, 'cacrl.pem'))
    await assert.rejects(Connect.open(uri(careful)), fails('authFailed', /has been revoked/))
  })

  test('names the file that is missing or broken', async () => {
    await assert.rejects(
      Connect.open(uri('/nonexistent')),
      fails('systemError', /CA certificate \/nonexistent\/cacert\.pem is missing.*pkipath=/),
    )
    const mixed = makeClient(daemon.folder, 'mixed', authority)
    copyFileSync(join(client, 'clientkey.pem'), join(mixed, 'clientkey.pem'))
    await assert.rejects(Connect.open(uri(mixed)), fails('systemError', /TLS files cannot be used .*clientcert\.pem/))
    copyFileSync(join(client, 'clientkey.pem'), join(mixed, 'cacert.pem'))
    await assert.rejects(Connect.open(uri(mixed)), fails('systemError', /cacert\.pem is no certificate/))
  })
})

describe('dialTls', () => {
  let folder: string
  let client: string
  let authority: Authority
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tls-'))
    authority = makeAuthority(join(folder, 'ca'))
    client = makeClient(folder, 'client', authority)
  })
  after(() => rm(folder, { recursive: true }))

  const around: Surroundings = { env: {}, uid: 1000, home: '/nonexistent', exists: () => false, read: () => undefined }
  /** Dials a server with this certificate that does this with each connection. */
  async function dialServer(
    { isExpired = false, limits = {} }: { isExpired?: boolean; limits?: CallOptions },
    answer: (socket: TLSSocket) => void,
  ): Promise<TLSSocket> {
    const own = await mkdtemp(join(folder, 'server-'))
    authority.issue(own, 'server', { names: ['IP:127.0.0.1'], isExpired })
    const [cert, key] = ['servercert.pem', 'serverkey.pem'].map((name) => readFileSync(join(own, name)))
    const server = createServer({ cert, key, ca: readFileSync(authority.file), requestCert: true }, (socket) => {
      socket.on('error', () => {})
      answer(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const target = resolveUri(`qemu://127.0.0.1:${port}/system?pkipath=${client}`, around, false)
      return await dialTls(target as TlsTarget, around, limits)
    } finally {
      server.close()
    }
  }

  test('keeps what follows the byte of acceptance', async () => {
    const socket = await dialServer({}, (peer) => peer.end('\x01rest'))
    const pieces: Buffer[] = []
    socket.on('data', (piece: Buffer) => pieces.push(piece)).resume()
    await new Promise((resolve) => socket.once('close', resolve))
    assert.equal(Buffer.concat(pieces).toString(), 'rest')
  })

  test('takes no other byte, and no close, for acceptance', async () => {
    await assert.rejects(
      dialServer({}, (peer) => peer.end('\0')),
      fails('authFailed', /did not accept/),
    )
    await assert.rejects(
      dialServer({}, (peer) => peer.end()),
      fails('authFailed', /did not accept/),
    )
  })

  test('refuses a server whose certificate has expired', async () => {
    await assert.rejects(
      dialServer({ isExpired: true }, () => {}),
      fails('authFailed', /has expired/),
    )
  })

  test('waits no longer than it is told', async () => {
    let silent: TLSSocket | undefined
    const keep = (peer: TLSSocket) => {
      silent = peer
    }
    await assert.rejects(
      dialServer({ limits: { timeoutMs: 300 } }, keep),
      fails('operationTimeout', /was not ready within 300 ms/),
    )
    silent?.destroy()
    await assert.rejects(dialServer({ limits: { signal: AbortSignal.timeout(300) } }, keep), { name: 'TimeoutError' })
    silent?.destroy()
  })

  test('says that nothing listens, or no TLS', async () => {
    const port = await freePort()
    const target = resolveUri(`qemu://127.0.0.1:${port}/system?pkipath=${client}`, around, false) as TlsTarget
    await assert.rejects(
      dialTls(target, around, {}),
      (error) =>
        error instanceof ConnectionClosed && error.message.startsWith(`cannot reach libvirt at 127.0.0.1:${port}: `),
    )
  })
})
