import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeCertificate } from '../../src/operations/certificate.ts'
import {
  fingerprintOf,
  formatOpenvpnClientFile,
  formatOpenvpnClients,
  formatOpenvpnConfig,
  formatOpenvpnServer,
  type OpenvpnKeys,
  type OpenvpnServer,
  parseOpenvpnServer,
  TLS_CRYPT_BYTES,
} from '../../src/router/openvpn-server.ts'
import { addPeer, homeContext } from '../../src/router/vpn-clients.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'

const WEB = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a001', name: 'web', address: '10.1.1.40' }
const FILES = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a002', name: 'files', address: '10.1.1.33' }

/** Lines of a block of OpenVPN's. */
function blockOf(text: string, name: string): readonly string[] {
  const [, inner = ''] = new RegExp(`^<${name}>\n([^<]*)^</${name}>$`, 'm').exec(text) ?? []
  return inner.split('\n').slice(0, -1)
}

describe('an OpenVPN server', () => {
  let server: OpenvpnServer
  let keys: OpenvpnKeys
  let anna: OpenvpnKeys

  before(async () => {
    const { signal } = new AbortController()
    keys = await makeCertificate({ name: 'server', usage: 'server' }, systemProcesses, signal)
    anna = await makeCertificate({ name: 'anna', usage: 'client' }, systemProcesses, signal)
    const tlsCrypt = randomBytes(TLS_CRYPT_BYTES).toString('base64')
    const place = { vmpkg: 1, endpoint: '203.0.113.7:8443', protocol: 'tcp', port: 443, subnet: '10.8.1.0/24' } as const
    const empty: OpenvpnServer = { ...place, ...keys, tlsCrypt, peers: [] }
    const machines = [WEB.uuid, FILES.uuid]
    server = addPeer(empty, { name: 'anna', fingerprint: fingerprintOf(anna.certificate), machines }).server
  })

  test('comes back as it was kept', () => {
    assert.deepEqual(parseOpenvpnServer(formatOpenvpnServer(server)), server)
  })

  test('is refused where a value would be a line of its own, and no key is told', () => {
    const [peer] = server.peers
    assert.ok(peer !== undefined)
    const wrong: readonly unknown[] = [
      { ...server, peers: [peer, { ...peer, name: 'bert' }] },
      { ...server, peers: [{ ...peer, address: '10.8.2.2' }] },
      { ...server, peers: [{ ...peer, fingerprint: `${peer.fingerprint}\n</peer-fingerprint>` }] },
      { ...server, peers: [{ ...peer, fingerprint: peer.fingerprint.toLowerCase() }] },
      { ...server, peers: [{ ...peer, name: 'x\nup' }] },
      { ...server, endpoint: 'x:1\nup reboot' },
      { ...server, protocol: 'tcp6' },
      { ...server, certificate: `${server.certificate}\n` },
      { ...server, privateKey: 'short' },
      { ...server, tlsCrypt: randomBytes(TLS_CRYPT_BYTES - 1).toString('base64') },
      { ...server, plugin: 'x' },
    ]
    for (const [index, one] of wrong.entries()) {
      assert.throws(
        () => parseOpenvpnServer(JSON.stringify(one)),
        (error: Error & { code?: string }) =>
          error.code === 'PARAMETER_INVALID' && !JSON.stringify(error).includes(server.privateKey.slice(64, 88)),
        `number ${index}`,
      )
    }
    assert.throws(() => parseOpenvpnServer('{'), { code: 'PARAMETER_INVALID' })
  })

  test('lets in those whose fingerprint it has, and nobody where it has none', () => {
    const text = formatOpenvpnConfig(server)
    assert.match(text, /^proto tcp4-server\nport 443\ntopology subnet\nserver 10\.8\.1\.0 255\.255\.255\.0 nopool\n/)
    assert.deepEqual(blockOf(text, 'peer-fingerprint'), [
      new X509Certificate(Buffer.from(anna.certificate, 'base64')).fingerprint256,
    ])
    assert.doesNotMatch(text, /^(?:script-security|up|plugin|management|client-to-client|duplicate-cn|push)\b/m)
    const none = blockOf(formatOpenvpnConfig({ ...server, peers: [] }), 'peer-fingerprint')
    assert.match(none.join('\n'), /^(?:00:){31}00$/)
    const udp = formatOpenvpnConfig({ ...server, protocol: 'udp' })
    assert.match(udp, /^proto udp4\n[^]*\nexplicit-exit-notify 1\n/)
    assert.doesNotMatch(text, /explicit-exit-notify/)
  })

  test('tells the router each client’s address and the machines that are there', () => {
    const home = homeContext({ ...server, device: 'home-ovpn' }, [WEB])
    assert.equal(formatOpenvpnClients(home), 'client anna 10.8.1.2\nroute 10.1.1.40\n')
    assert.ok(!JSON.stringify(home).includes(server.privateKey))
  })

  test('gives one file that a router of ours takes as a profile, and that holds no key of its own', () => {
    const text = formatOpenvpnClientFile(server, { name: 'anna' }, [WEB], anna)
    assert.match(text, /^# VPN client anna: web is 10\.1\.1\.40\nclient\n/)
    assert.match(text, /^remote-cert-tls server$/m)
    const profile = parseVpnProfile('anna', text)
    assert.deepEqual(profile.endpoints, [{ address: '203.0.113.7', protocol: 'tcp', port: 8443 }])
    const der = (block: string): string => blockOf(text, block).slice(1, -1).join('')
    assert.equal(der('ca'), server.certificate)
    assert.equal(der('cert'), anna.certificate)
    assert.equal(der('key'), anna.privateKey)
    assert.equal(Buffer.from(der('tls-crypt'), 'hex').toString('base64'), server.tlsCrypt)
    assert.ok(!text.replaceAll('\n', '').includes(server.privateKey))
    assert.ok(Buffer.byteLength(text) < 2953, 'it fits into a QR code')
  })
})
