import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { addPeer, serverAddress } from '../../src/router/vpn-clients.ts'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'
import {
  formatClientFile,
  formatKey,
  formatServerFile,
  formatVpnServer,
  parseVpnServer,
  publicKeyOf,
  type VpnServer,
} from '../../src/router/vpn-server.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const newKey = (): string => formatKey(randomBytes(32))
const WEB = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a001', name: 'web', address: '10.1.1.40' }
const FILES = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a002', name: 'files', address: '10.1.1.33' }

function makeServer(more: Partial<VpnServer> = {}): VpnServer {
  return {
    vmpkg: 1,
    endpoint: '203.0.113.7:51820',
    port: 51_820,
    subnet: '10.8.0.0/24',
    privateKey: newKey(),
    peers: [],
    ...more,
  }
}

function withPeers(server: VpnServer, ...names: readonly string[]): VpnServer {
  const own = (name: string) => ({ name, publicKey: newKey(), presharedKey: newKey(), machines: [WEB.uuid] })
  return names.reduce((before, name) => addPeer(before, own(name)).server, server)
}

const missing = ['wg', 'wg-quick'].filter((tool) => !existsSync(join('/usr/bin', tool)))
const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`

describe('keys', { skip }, () => {
  test('a public key is the one that wg makes of it', () => {
    for (let round = 0; round < 20; round++) {
      const key = newKey()
      assert.equal(publicKeyOf(key), execFileSync('wg', ['pubkey'], { input: key, encoding: 'utf8' }).trim())
    }
  })

  test('the file of a client is one that wg-quick reads, and its words are the ones that go in', async (t) => {
    const keys = { privateKey: newKey(), presharedKey: newKey() }
    const added = addPeer(makeServer(), {
      name: 'anna',
      publicKey: publicKeyOf(keys.privateKey),
      presharedKey: keys.presharedKey,
      machines: [WEB.uuid, FILES.uuid],
    })
    const text = formatClientFile(added.server, added.peer, [FILES, WEB], keys)
    const file = join(await makeTempFolder(t), 'anna.conf')
    await writeFile(file, text, { mode: 0o600 })
    const stripped = execFileSync('wg-quick', ['strip', file], { encoding: 'utf8' })
    assert.ok(stripped.includes(`PublicKey = ${publicKeyOf(added.server.privateKey)}\n`))
    assert.doesNotMatch(stripped, /^Address/m)
    const profile = parseVpnProfile('anna', text)
    assert.deepEqual(profile.endpoints, [{ address: '203.0.113.7', protocol: 'udp', port: 51_820 }])
    assert.deepEqual(profile.addresses, ['10.8.0.2/32'])
    assert.ok(profile.file.includes('AllowedIPs = 10.1.1.33/32, 10.1.1.40/32'))
    assert.ok(!text.includes(added.server.privateKey))
  })
})

describe('the server’s text', () => {
  test('comes back as it was', () => {
    const server = withPeers(makeServer(), 'anna', 'phone')
    assert.deepEqual(parseVpnServer(formatVpnServer(server)), server)
  })

  test('is refused where peers share an address or name, or have one that is not of the subnet, and no key is told', () => {
    const server = withPeers(makeServer(), 'anna', 'phone')
    const [anna, phone] = server.peers
    assert.ok(anna !== undefined && phone !== undefined)
    const wrong: readonly VpnServer[] = [
      { ...server, peers: [anna, { ...phone, address: anna.address }] },
      { ...server, peers: [anna, { ...phone, name: anna.name }] },
      { ...server, peers: [{ ...anna, address: '10.8.1.2' }] },
      { ...server, peers: [{ ...anna, address: serverAddress(server.subnet) }] },
      { ...server, peers: [{ ...anna, address: '10.8.0.255' }] },
      { ...server, peers: [{ ...anna, publicKey: `${anna.publicKey}\nAllowedIPs = 0.0.0.0/0` }] },
      { ...server, peers: [{ ...anna, name: 'x\n[Peer]' }] },
      { ...server, endpoint: 'x:1\nPostUp = reboot' },
      { ...server, privateKey: 'short' },
    ]
    for (const one of wrong) {
      assert.throws(
        () => parseVpnServer(JSON.stringify(one)),
        (error: Error & { code?: string }) =>
          error.code === 'PARAMETER_INVALID' && !JSON.stringify(error).includes(server.privateKey),
      )
    }
    assert.throws(() => parseVpnServer('{'), { code: 'PARAMETER_INVALID' })
  })
})

describe('clients', () => {
  test('are bound to their address by key', () => {
    const server = withPeers(makeServer(), 'anna')
    const text = formatServerFile(server)
    assert.match(text, /^\[Interface\]\nPrivateKey = \S{44}\nListenPort = 51820\n/)
    assert.equal(text.match(/AllowedIPs = 10\.8\.0\.2\/32\n/g)?.length, 1)
  })
})
