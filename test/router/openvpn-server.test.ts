import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes, X509Certificate } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeCertificate } from '../../src/operations/certificate.ts'
import {
  certificateName,
  formatOpenvpnClientFile,
  formatOpenvpnClients,
  formatOpenvpnConfig,
  formatOpenvpnServer,
  NAME_BYTES,
  type OpenvpnKeys,
  type OpenvpnServer,
  parseOpenvpnServer,
  subjectHash,
  TLS_CRYPT_BYTES,
} from '../../src/router/openvpn-server.ts'
import { addPeer, homeContext } from '../../src/router/vpn-clients.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'

const WEB = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a001', name: 'web', address: '10.1.1.40' }
const FILES = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a002', name: 'files', address: '10.1.1.33' }

const ANNA = certificateName('anna', randomBytes(NAME_BYTES))

/** Lines of a block of OpenVPN's. */
function blockOf(text: string, name: string): readonly string[] {
  const [, inner = ''] = new RegExp(`^<${name}>\n([^<]*)^</${name}>$`, 'm').exec(text) ?? []
  return inner.split('\n').slice(0, -1)
}

function openssl(argv: readonly string[], input = ''): string {
  return execFileSync('openssl', [...argv], { input, encoding: 'utf8', stdio: 'pipe' })
}

function certificatePem(subject: string, constraints: string): string {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null']
  const extension = `basicConstraints=critical,${constraints}`
  return openssl(['req', '-x509', ...key, '-subj', subject, '-addext', extension])
}

function certificateFor(subject: string, constraints = 'CA:FALSE'): string {
  return new X509Certificate(certificatePem(subject, constraints)).raw.toString('base64')
}

describe('an OpenVPN server', () => {
  let server: OpenvpnServer
  let keys: OpenvpnKeys
  let anna: OpenvpnKeys

  before(async () => {
    const { signal } = new AbortController()
    keys = await makeCertificate({ name: 'server', usage: 'server' }, systemProcesses, signal)
    anna = await makeCertificate({ name: ANNA, usage: 'client' }, systemProcesses, signal)
    const tlsCrypt = randomBytes(TLS_CRYPT_BYTES).toString('base64')
    const place = { vmpkg: 1, endpoint: '203.0.113.7:8443', protocol: 'tcp', port: 443, subnet: '10.8.1.0/24' } as const
    const empty: OpenvpnServer = { ...place, ...keys, tlsCrypt, peers: [] }
    const machines = [WEB.uuid, FILES.uuid]
    server = addPeer(empty, { name: 'anna', certificate: anna.certificate, machines }).server
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
      { ...server, peers: [{ ...peer, certificate: `${peer.certificate}\n` }] },
      { ...server, peers: [{ ...peer, certificate: randomBytes(300).toString('base64') }] },
      { ...server, peers: [{ ...peer, certificate: certificateFor('/CN=anna/O=x') }] },
      { ...server, peers: [{ ...peer, certificate: certificateFor('/CN=..') }] },
      { ...server, peers: [{ ...peer, certificate: certificateFor('/CN=anna', 'CA:TRUE') }] },
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

  test('is configured without a word of who may come in, and so goes on when they change', () => {
    const text = formatOpenvpnConfig(server)
    assert.match(text, /^proto tcp4-server\nport 443\ntopology subnet\nserver 10\.8\.1\.0 255\.255\.255\.0 nopool\n/)
    assert.equal(formatOpenvpnConfig({ ...server, peers: [] }), text)
    // Whom TLS trusts is for the router to say: with one of these it would be said here.
    assert.doesNotMatch(text, /^(?:<ca>|ca|capath|<peer-fingerprint>|peer-fingerprint|verify-client-cert)\b/m)
    assert.doesNotMatch(text, /^(?:script-security|up|plugin|management|client-to-client|duplicate-cn|push)\b/m)
    const udp = formatOpenvpnConfig({ ...server, protocol: 'udp' })
    assert.match(udp, /^proto udp4\n[^]*\nexplicit-exit-notify 1\n/)
    assert.doesNotMatch(text, /explicit-exit-notify/)
  })

  test('tells the router each client’s certificate, address and the machines that are there', () => {
    const home = homeContext({ ...server, device: 'home-ovpn' }, [WEB])
    const text = formatOpenvpnClients(server, home)
    const [first, ...rest] = text.split('\n')
    const pem = rest.slice(0, -2).map((line) => line.replace(/^trust /, ''))
    assert.equal(new X509Certificate(pem.join('\n')).raw.toString('base64'), anna.certificate)
    const [hash, serial] = openssl(['x509', '-noout', '-subject_hash', '-serial'], pem.join('\n')).trim().split('\n')
    assert.equal(first, `client ${ANNA} 10.8.1.2 ${BigInt(`0x${serial?.slice(7)}`)} ${hash}`)
    assert.deepEqual(rest.slice(-2), ['route 10.1.1.40', ''])
    assert.ok(!JSON.stringify(home).includes(server.privateKey))
  })

  test('names certificates as OpenSSL looks for them, each client another one', () => {
    for (const name of ['a', ANNA, 'x'.repeat(63)]) {
      const pem = certificatePem(`/CN=${name}`, 'CA:FALSE')
      assert.equal(subjectHash(name), openssl(['x509', '-noout', '-subject_hash'], pem).trim())
    }
    const longest = certificateName('n'.repeat(31), randomBytes(NAME_BYTES))
    assert.match(longest, /^n{31}-[0-9a-f]{12}$/)
    assert.notEqual(certificateName('anna', randomBytes(NAME_BYTES)), ANNA)
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
