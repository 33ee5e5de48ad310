import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseVpnProfile } from '../../src/router/vpn-profile.ts'
import { openvpnSamples, sshSample, wireguardSample } from '../support/vpn-profiles.ts'

describe('parseVpnProfile', () => {
  test('tells the kinds apart by their first line', () => {
    const [openvpn = ''] = openvpnSamples().values()
    assert.equal(parseVpnProfile('a', `\n; nothing\n${openvpn}`).kind, 'openvpn')
    assert.equal(parseVpnProfile('a', wireguardSample()).kind, 'wireguard')
    assert.equal(parseVpnProfile('a', sshSample()).kind, 'ssh')
  })

  test('takes names that fit a file, a menu and a rule, and no others', () => {
    const text = wireguardSample()
    for (const name of ['a', '9', 'se-sto-1', `a${'b'.repeat(30)}`])
      assert.equal(parseVpnProfile(name, text).name, name)
    for (const name of ['', '-a', 'A', 'a_b', '../a', 'a\n', 'a b', `a${'b'.repeat(31)}`]) {
      assert.throws(() => parseVpnProfile(name, text), { code: 'VPN_PROFILE_INVALID' }, JSON.stringify(name))
    }
  })

  test('names profile, line and directive of what it refuses, and the next step', () => {
    const [text = ''] = openvpnSamples().values()
    assert.throws(() => parseVpnProfile('home', text.replace('nobind', 'up /bin/sh')), {
      code: 'VPN_PROFILE_INVALID',
      message: 'VPN profile home, line 8, up: it runs a program on the router',
      hint: 'Take the line out: the router takes care of resolver and routes itself.',
      details: { profile: 'home', line: 8, directive: 'up' },
    })
  })

  test('takes a byte order mark and the line ends of Windows', () => {
    const text = wireguardSample()
    assert.deepEqual(parseVpnProfile('a', `\uFEFF${text.replaceAll('\n', '\r\n')}`), parseVpnProfile('a', text))
  })

  test('refuses characters that no text has, wherever they are', () => {
    const text = wireguardSample()
    for (const bad of ['\0', '\r', '\v', '\f', '\u001b', '\u0085', '\u2028', '\uFFFD']) {
      for (const place of ['# Device', 'Address', 'Endpoint']) {
        assert.throws(
          () => parseVpnProfile('a', text.replace(place, `${bad}${place}`)),
          { code: 'VPN_PROFILE_INVALID', message: /line \d+: it has a character that no text has/ },
          JSON.stringify(bad),
        )
      }
    }
  })

  test('refuses texts that are longer than any profile', () => {
    assert.throws(() => parseVpnProfile('a', '#'.repeat(256 * 1024 + 1)), { message: /longer than 262144 characters/ })
  })

  test('refuses an empty text', () => {
    for (const text of ['', '\n', '# nothing\n'])
      assert.throws(() => parseVpnProfile('a', text), { code: 'VPN_PROFILE_INVALID' })
  })
})
