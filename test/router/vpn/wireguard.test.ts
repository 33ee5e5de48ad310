import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../../src/errors.ts'
import { parseVpnProfile, type VpnProfile } from '../../../src/router/vpn-profile.ts'
import { wireguardKey, wireguardSample } from '../../support/vpn-profiles.ts'

const sample = wireguardSample()
const parse = (text: string): VpnProfile => parseVpnProfile('a', text)
const changed = (from: string | RegExp, to: string): VpnProfile => parse(sample.replace(from, to))
const refused = (from: string | RegExp, to: string, message: RegExp): void =>
  assert.throws(
    () => changed(from, to),
    (error) => isVmpkgError(error, 'VPN_PROFILE_INVALID') && message.test(error.message),
    to,
  )

/** Every line that a file for `wg setconf` may have here. */
const LINE =
  /^(?:|\[Interface\]|\[Peer\]|(?:PrivateKey|PublicKey|PresharedKey) = [A-Za-z0-9+/]{43}=|AllowedIPs = [0-9./]+(?:, [0-9./]+)*|Endpoint = [0-9.]+:[0-9]+|PersistentKeepalive = [0-9]+)$/
const holes = (file: string): readonly string[] => file.split('\n').filter((line) => !LINE.test(line))

/** The facts that a file for `wg setconf` cannot hold, put back. */
const whole = ({ file, addresses, dns, mtu }: VpnProfile): string =>
  file.replace(
    '[Interface]',
    `[Interface]\nAddress = ${addresses.join(', ')}\n${dns.map((one) => `DNS = ${one}\n`).join('')}${mtu === undefined ? '' : `MTU = ${mtu}`}`,
  )

const withoutNotes = ({ notes: _notes, ...facts }: VpnProfile): Omit<VpnProfile, 'notes'> => facts

describe('a WireGuard profile', () => {
  test('becomes facts and a file for wg setconf', () => {
    const { file, ...facts } = parse(sample)
    assert.deepEqual(facts, {
      name: 'a',
      kind: 'wireguard',
      endpoints: [{ address: '198.51.100.4', protocol: 'udp', port: 51_820 }],
      dns: ['10.64.0.1'],
      addresses: ['10.64.12.7/32'],
      mtu: 1380,
      notes: [
        'Left out because the router sets it itself: ListenPort.',
        'Left out because the routers carry no IPv6: AllowedIPs of IPv6, DNS of IPv6, Address of IPv6.',
        'Left out because search domains are not used: DNS of names.',
      ],
    })
    assert.deepEqual(holes(file), [])
    assert.match(file, /\nAllowedIPs = 0\.0\.0\.0\/0\nEndpoint = 198\.51\.100\.4:51820\nPersistentKeepalive = 25\n$/)
  })

  test('says the same when its file is read again with the facts', () => {
    const found = parse(sample)
    assert.deepEqual(withoutNotes(parse(whole(found))), withoutNotes(found))
  })

  test('is read as wg reads it: in any case, with white space anywhere, comments cut', () => {
    const odd = sample
      .replace('[Interface]', ' [ interFACE ] # mine')
      .replace('PrivateKey =', 'privatekey=')
      .replace('198.51.100.4:51820', '198.51.100.4 : 51820 # here')
    assert.deepEqual(parse(odd), parse(sample))
  })

  test('keeps the prefix and the host part of its addresses', () => {
    assert.deepEqual(changed('10.64.12.7/32', '10.64.12.7/24, 10.65.0.1').addresses, ['10.64.12.7/24', '10.65.0.1/32'])
  })

  test('says where the tunnel does not take everything', () => {
    const sentence = 'The tunnel does not take every address (AllowedIPs); what it does not take is dropped.'
    assert.ok(changed('0.0.0.0/0', '10.0.0.0/8').notes?.includes(sentence))
    assert.ok(changed('0.0.0.0/0', '0.0.0.0/1').notes?.includes(sentence))
    assert.ok(!changed('0.0.0.0/0', '128.0.0.0/1, 0.0.0.0/1').notes?.includes(sentence))
  })

  test('may have several peers with networks of their own', () => {
    const second = `[Peer]\nPublicKey = ${wireguardKey()}\nEndpoint = 198.51.100.5:1\nAllowedIPs = 10.1.2.3/8\n`
    const { endpoints, file } = parse(`${sample}${second}`)
    assert.deepEqual(endpoints[1], { address: '198.51.100.5', protocol: 'udp', port: 1 })
    assert.ok(file.includes('AllowedIPs = 10.0.0.0/8\n'))
    assert.throws(() => parse(`${sample}${second}${second}`), { message: /shares a key or a network/ })
    assert.throws(() => parse(`${sample}${second.replace('10.1.2.3/8', '0.0.0.0/0')}`), {
      message: /shares a key or a network/,
    })
  })
})

describe('what is refused', () => {
  for (const hook of ['PreUp', 'PostUp', 'PreDown', 'PostDown', 'postup', 'POSTDOWN']) {
    test(`${hook}, in either section`, () => {
      for (const section of ['[Interface]', '[Peer]'])
        refused(section, `${section}\n${hook} = iptables -F`, new RegExp(`${hook}: it is a shell command`))
    })
  }

  test('what the router does itself, and whatever is not known', () => {
    refused('[Interface]', '[Interface]\nTable = off', /Table: the router takes care/)
    refused('[Interface]', '[Interface]\nSaveConfig = true', /SaveConfig: the router takes care/)
    refused('[Interface]', '[Interface]\nJc = 4', /"Jc" does not belong into \[interface\]/)
    refused('[Peer]', '[Peer]\nAddress = 10.0.0.1', /"Address" does not belong into \[peer\]/)
    refused('[Peer]', '[Other]', /does not belong there/)
    refused('[Interface]', 'MTU = 1400\n[Interface]', /VPN profile a/)
    refused('[Peer]', '[Interface]\n[Peer]', /it is there twice/)
    refused('[Peer]', '[Peer]\nnonsense', /does not belong there/)
  })

  test('servers by name and by IPv6', () => {
    refused('198.51.100.4:51820', 'vpn.example.org:51820', /"vpn.example.org" is not an IPv4 address/)
    refused('198.51.100.4:51820', '[2001:db8::1]:51820', /has an IPv6 address/)
    refused('198.51.100.4:51820', '198.51.100.4', /is not a port/)
    refused('198.51.100.4:51820', '198.51.100.4:0', /is not a port/)
    refused('198.51.100.4:51820', '127.0.0.1:1', /no server can have/)
    refused(/Endpoint.*\n/, '', /Endpoint: it is missing/)
  })

  test('keys that are none, without showing them', () => {
    for (const key of ['abc', `${'A'.repeat(42)}B=`, 'A'.repeat(44), '-'.repeat(44)]) {
      for (const field of ['PrivateKey =', 'PublicKey =', 'PresharedKey=']) {
        refused(new RegExp(`${field}.*`), `${field} ${key}`, /not a key of 32 bytes in base64$/)
      }
    }
    refused(/PrivateKey.*\n/, '', /PrivateKey: it is missing/)
    refused(/PublicKey.*\n/, '', /PublicKey: it is missing/)
  })

  test('numbers and networks that are none, and IPv6 alone', () => {
    for (const mtu of ['0', '575', '9001', '-1', '1e3']) refused('1380', mtu, /is not an MTU/)
    for (const time of ['-1', '65536', 'x']) refused('= 25', `= ${time}`, /is not a number of seconds/)
    for (const network of ['10.0.0.0/33', '10.0.0', '010.0.0.0/8', 'all'])
      refused('0.0.0.0/0', network, /is not an IPv4 network/)
    for (const address of ['10.0.0.1/33', 'home', '10.0.0.1/', '10.0.0.1/24/8'])
      refused('10.64.12.7/32', address, /is not an IPv4 address/)
    refused('0.0.0.0/0,', '', /names no IPv4 network/)
    refused('10.64.12.7/32,', '', /names no IPv4 address/)
    refused(/\[Peer\][^]*/, '', /\[Peer\]: it is missing/)
    refused(/MTU.*/, 'MTU = 1380\nMTU = 1380', /it is there twice/)
    refused(/MTU.*/, 'MTU =', /it has no value/)
  })
})

test('no value of any field adds a line to the file (N2)', () => {
  const places = [...sample.matchAll(/\S+/g)].slice(3)
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\nPostUp = x', '[Peer]', '\n[Peer]\n', '#', '=', ',', '0.0.0.0/0', '\nEndpoint=192.0.2.9:1'),
  )
  let accepted = 0
  fc.assert(
    fc.property(fc.nat(places.length - 1), value, fc.boolean(), (which, text, isInserted) => {
      const { index, 0: word } = places[which] ?? assert.fail()
      try {
        const found = parse(sample.slice(0, index) + text + sample.slice(isInserted ? index : index + word.length))
        accepted++
        assert.deepEqual(holes(found.file), [])
        assert.deepEqual(withoutNotes(parse(whole(found))), withoutNotes(found))
      } catch (error) {
        assert.ok(isVmpkgError(error, 'VPN_PROFILE_INVALID'), String(error))
      }
    }),
    { numRuns: 3000 },
  )
  assert.ok(accepted > 200, `only ${accepted} of 3000 were accepted`)
})
