import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { parseTorNetwork } from '../../src/router/tor-network.ts'

const IDENT = '0123456789ABCDEF0123456789ABCDEF01234567'
const FINGERPRINT = 'FEDCBA9876543210FEDCBA9876543210FEDCBA98'
const AUTHORITY = `DirAuthority alpha orport=5001 v3ident=${IDENT} 203.0.113.1:7001 ${FINGERPRINT}`
const read = (...lines: readonly string[]) => parseTorNetwork('lab', lines.join('\n'))

function refused(text: string, message: RegExp): void {
  assert.throws(
    () => parseTorNetwork('lab', text),
    (error) => isVmpkgError(error, 'TOR_NETWORK_INVALID') && message.test(error.message),
    text,
  )
}

describe('parseTorNetwork', () => {
  test('reads bridges, which are all that Tor connects to then', () => {
    const network = read(
      '# from the mail',
      'UseBridges 1',
      'Bridge 203.0.113.5:443',
      `bridge 203.0.113.6:9001 ${FINGERPRINT}`,
    )
    assert.equal(network.kind, 'bridges')
    assert.deepEqual(network.bridges, [
      { address: '203.0.113.5', port: 443 },
      { address: '203.0.113.6', port: 9001, fingerprint: FINGERPRINT },
    ])
    assert.deepEqual(network.endpoints, [
      { address: '203.0.113.5', protocol: 'tcp', port: 443 },
      { address: '203.0.113.6', protocol: 'tcp', port: 9001 },
    ])
  })

  test('reads the authorities and relays of a network of its own; the ports for directories stay closed', () => {
    const grouped = FINGERPRINT.replaceAll(/(....)/g, ' $1')
    const second = `dirauthority beta v3ident=${IDENT.toLowerCase()} orport=5002 203.0.113.2:7001${grouped}`
    const network = read('TestingTorNetwork 1', AUTHORITY, second, 'relay 203.0.113.3:5003', 'relay 203.0.113.3:5003')
    assert.equal(network.kind, 'private')
    assert.equal(network.isTesting, true)
    const common = { dirPort: 7001, v3Ident: IDENT, fingerprint: FINGERPRINT }
    assert.deepEqual(network.authorities, [
      { nickname: 'alpha', address: '203.0.113.1', orPort: 5001, ...common },
      { nickname: 'beta', address: '203.0.113.2', orPort: 5002, ...common },
    ])
    assert.deepEqual(
      network.endpoints.map(({ address, port }) => `${address}:${port}`),
      ['203.0.113.1:5001', '203.0.113.2:5002', '203.0.113.3:5003'],
    )
  })

  test('leaves the relays to the consensus, where it is told to and in no other way', () => {
    const network = read(AUTHORITY, 'relay consensus')
    assert.equal(network.usesConsensus, true)
    assert.deepEqual(network.endpoints, [], 'the authorities are in it as well')
    assert.equal(read(AUTHORITY).usesConsensus, false)
    refused(`${AUTHORITY}\nrelay 203.0.113.3:5003\nrelay consensus`, /line 3, relay: .* or those that are named/)
    refused('Bridge 203.0.113.5:443\nrelay consensus', /relay: with bridges/)
    refused(`${AUTHORITY}\nrelay consensus 203.0.113.3:5003`, /is not ADDRESS:PORT/)
  })

  test('takes no line that it does not know, whatever the option could do', () => {
    for (const line of [
      'ClientTransportPlugin obfs4 exec /bin/sh',
      'ControlPort 9051',
      'DataDirectory /etc',
      'SocksPort 0.0.0.0:9050',
      'Log debug file /tmp/x',
      '%include /etc/shadow',
      'ORPort 9001',
      '+Bridge 203.0.113.5:443',
      'FallbackDir 203.0.113.5:443',
    ]) {
      refused(`Bridge 203.0.113.5:443\n${line}`, /line 2: ".+" does not belong there/)
    }
    refused('Bridge 203.0.113.5:443\u0085ControlPort 1', /line 1: .* not plain ASCII/)
  })

  test('takes neither names, IPv6, transports nor half a line', () => {
    refused('Bridge bridge.example.org:443', /line 1, Bridge: the server .* is not an IPv4 address/)
    refused('Bridge [2001:db8::1]:443', /IPv6/)
    refused(`Bridge obfs4 203.0.113.5:443 ${FINGERPRINT} cert=x iat-mode=0`, /"obfs4" needs a program/)
    refused('Bridge 203.0.113.5', /is not ADDRESS:PORT/)
    refused('Bridge 203.0.113.5:0', /is not a port/)
    refused('Bridge 127.0.0.1:443', /no server can have/)
    refused('Bridge 203.0.113.5:443 abc', /not a fingerprint/)
    refused(`${AUTHORITY} more`, /not a fingerprint/)
    refused(AUTHORITY.replace('orport=5001 ', ''), /needs orport= and v3ident=/)
    refused(AUTHORITY.replace('orport=5001', 'orport=5001 bridge=1'), /no "bridge"/)
    refused(AUTHORITY.replace('alpha', 'al-pha'), /not a nickname/)
    refused(`relay 203.0.113.3:1 x\n${AUTHORITY}`, /line 1, relay: .* is not ADDRESS:PORT/)
  })

  test('takes no set of lines that says two things, or nothing', () => {
    refused('', /neither a bridge nor an authority/)
    refused('relay 203.0.113.3:443', /neither a bridge nor an authority/)
    refused('UseBridges 1', /line 1, UseBridges/)
    refused('Bridge 203.0.113.5:443\nUseBridges 0', /line 2, UseBridges/)
    refused('UseBridges yes\nBridge 203.0.113.5:443', /it is 0 or 1/)
    refused('TestingTorNetwork 1\nBridge 203.0.113.5:443', /authorities of its own/)
    refused('Bridge 203.0.113.5:443\nrelay 203.0.113.3:443', /with bridges/)
    const many = Array.from({ length: 300 }, (_, n) => `Bridge 203.0.113.5:${n + 1}`)
    refused(many.join('\n'), /more than 256/)
    refused('#'.repeat(70_000), /longer than/)
  })

  test('whatever the file holds, endpoints are addresses and ports, or the file is refused', () => {
    const word = fc.constantFrom(
      'Bridge',
      'relay',
      'DirAuthority',
      'UseBridges',
      '1',
      'a',
      '203.0.113.5:443',
      IDENT,
      '\n',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
        ),
        (text) => {
          try {
            for (const { address, protocol, port } of parseTorNetwork('lab', text).endpoints) {
              assert.match(`${protocol} ${address} ${port}`, /^tcp \d+(?:\.\d+){3} \d+$/)
            }
          } catch (error) {
            assert.ok(isVmpkgError(error, 'TOR_NETWORK_INVALID'), String(error))
          }
        },
      ),
    )
  })
})

test('Tor takes the lines that were taken', { skip: !existsSync('/usr/bin/tor') && 'Tor is not installed' }, () => {
  for (const lines of [
    ['TestingTorNetwork 1', AUTHORITY],
    ['UseBridges 1', `Bridge 203.0.113.6:9001 ${FINGERPRINT}`],
  ]) {
    read(...lines)
    const options = ['--verify-config', '--ignore-missing-torrc', '-f', '-']
    const { status, stdout } = spawnSync('/usr/bin/tor', options, { input: `${lines.join('\n')}\n`, encoding: 'utf8' })
    assert.equal(status, 0, stdout)
  }
})
