import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../../src/errors.ts'
import { parseVpnProfile, type VpnProfile } from '../../../src/router/vpn-profile.ts'
import { sshSample } from '../../support/vpn-profiles.ts'

const sample = sshSample()
const parse = (text: string): VpnProfile => parseVpnProfile('a', text)
const refused = (from: string | RegExp, to: string, message: RegExp): void =>
  assert.throws(
    () => parse(sample.replace(from, to)),
    (error) => isVmpkgError(error, 'VPN_PROFILE_INVALID') && message.test(error.message),
    to,
  )

const LINE =
  /^(?:|ssh:\/\/[a-z_][a-z0-9_-]*@[0-9.]+:[0-9]+|host-key [a-z0-9@.-]+ [A-Za-z0-9+/=]+|tunnel [0-9.]+\/[0-9]+|dns [0-9.]+|mtu [0-9]+|device [0-9]+|-----(?:BEGIN|END) OPENSSH PRIVATE KEY-----|[A-Za-z0-9+/=]{1,64})$/
const holes = (file: string): readonly string[] => file.split('\n').filter((line) => !LINE.test(line))

describe('a profile for ssh', () => {
  test('becomes facts and a text that says the same', () => {
    const found = parse(sample)
    const { file, ...facts } = found
    assert.deepEqual(facts, {
      name: 'a',
      kind: 'ssh',
      endpoints: [{ address: '192.0.2.40', protocol: 'tcp', port: 2222 }],
      dns: ['10.9.0.1'],
      addresses: ['10.9.0.2/30'],
      notes: [],
    })
    assert.deepEqual(holes(file), [])
    assert.deepEqual(parse(file), found)
  })

  test('has port 22 and no MTU where it names none', () => {
    assert.equal(parse(sample.replace(':2222', '')).endpoints[0]?.port, 22)
    assert.equal(parse(sample.replace('dns ', 'mtu 1400\ndns ')).mtu, 1400)
  })

  test('may name the device of the server, by its number', () => {
    const { file } = parse(sample.replace('dns ', 'device 5\ndns '))
    assert.match(file, /^device 5$/m)
    assert.deepEqual(holes(file), [])
    for (const wrong of ['tun5', '-1', '05', '12345', 'any', '']) {
      refused('dns ', `device ${wrong}\ndns `, /is not the number of a device/)
    }
    refused('dns ', 'device 5\ndevice 6\ndns ', /does not belong there/)
  })

  test('has to name a plain user, an IPv4 address, host keys, the tunnel and one open key', () => {
    for (const user of ['', 'a:b', '-oProxyCommand=x', 'root;x', 'A', 'a b'])
      refused('tunnel@', `${user}@`, /no plain user|too many words/)
    refused('192.0.2.40', 'vpn.example.org', /is not an IPv4 address/)
    refused('192.0.2.40', '[2001:db8::1]', /has an IPv6 address/)
    refused(':2222', ':0', /is not a port/)
    refused(/host-key.*\n/, '', /which server is the right one/)
    refused('ssh-ed25519', 'ssh-rsa', /is not a public key/)
    refused('ssh-ed25519', 'ssh-dss', /is not a public key/)
    refused(/tunnel 10.*\n/, '', /tunnel: it is missing/)
    refused('10.9.0.2/30', '10.9.0.2', /with its prefix/)
    refused('10.9.0.2/30', '10.9.0.2/33', /with its prefix/)
    refused('dns 10.9.0.1', 'dns one', /is not an IPv4 address/)
    refused('dns 10.9.0.1', 'dns 10.9.0.1 x', /too many words/)
    refused('dns ', 'ProxyCommand ', /"ProxyCommand" does not belong there/)
    refused('tunnel 10.9.0.2/30', 'tunnel 10.9.0.2/30\ntunnel 10.9.0.6/30', /does not belong there/)
    refused(/-----BEGIN[^]*/, '', /exactly one/)
    refused(/-----BEGIN[^]*/, '$&$&', /exactly one/)
    refused(/b3BlbnNzaC1rZXktdjEAAAAABG5vbmU/, 'b3BlbnNzaC1rZXktdjEAAAAACmFlczI', /locked by a password/)
  })
})

test('no value of any field adds a line to the text (N2)', () => {
  const places = [...sample.matchAll(/\S+/g)].slice(4)
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\nProxyCommand x', ' -o x', '#', '\n', '@', '/'),
  )
  fc.assert(
    fc.property(fc.nat(places.length - 1), value, fc.boolean(), (which, text, isInserted) => {
      const { index, 0: word } = places[which] ?? assert.fail()
      try {
        const found = parse(sample.slice(0, index) + text + sample.slice(isInserted ? index : index + word.length))
        assert.deepEqual(holes(found.file), [])
        assert.deepEqual(parse(found.file), found)
      } catch (error) {
        assert.ok(isVmpkgError(error, 'VPN_PROFILE_INVALID'), String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
