import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../../src/errors.ts'
import { type FindFile, parseVpnProfile, type VpnProfile } from '../../../src/router/vpn-profile.ts'
import { openvpnSamples, vpnKeys } from '../../support/vpn-profiles.ts'

const { ca, cert, key, staticKey } = vpnKeys()
const KEYS = `<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>\n`
const profile = (lines: string, findFile?: FindFile): VpnProfile =>
  parseVpnProfile('a', `client\ndev tun\nremote 192.0.2.1\n${lines}\n${KEYS}`, findFile)
const bare = (text: string): VpnProfile => parseVpnProfile('a', text)
const refused = (lines: string, message: RegExp, findFile?: FindFile): void =>
  assert.throws(
    () => profile(lines, findFile),
    (error) => isVmpkgError(error, 'VPN_PROFILE_INVALID') && message.test(error.message),
    lines,
  )

/** What a cleaned config may begin its lines with, written down by hand; anything else is a hole. */
const ALLOWED = new Set(
  'client dev dev-type nobind persist-tun allow-compression pull-filter remote dhcp-option remote-random data-ciphers data-ciphers-fallback auth tls-cipher tls-ciphersuites tls-groups ecdh-curve tls-version-min tls-version-max tls-cert-profile remote-cert-tls remote-cert-ku remote-cert-eku verify-x509-name key-direction topology keepalive ping ping-restart ping-timer-rem reneg-sec reneg-bytes reneg-pkts hand-window tran-window tls-timeout replay-window connect-retry connect-timeout explicit-exit-notify tun-mtu fragment mssfix sndbuf rcvbuf txqueuelen fast-io comp-lzo compress'.split(
    ' ',
  ),
)
const BLOCK = /^<(ca|cert|key|extra-certs|crl-verify|tls-auth|tls-crypt|tls-crypt-v2|auth-user-pass|peer-fingerprint)>$/

/** Lines of a config that would do something that no cleaned config does. */
function holes(file: string): readonly string[] {
  const found: string[] = []
  let open: string | undefined
  let inside = 0
  for (const line of file.split('\n').slice(0, -1)) {
    if (open !== undefined) {
      if (line.trimStart().startsWith(`</${open}>`)) {
        if (line !== `</${open}>` || inside === 0) found.push(line)
        open = undefined
      } else if (
        open !== 'auth-user-pass' &&
        !/^(?:-----(?:BEGIN|END) [A-Za-z0-9 -]+-----|[A-Za-z0-9+/]{1,64}={0,2}|[0-9A-F:]{95})$/.test(line)
      )
        found.push(line)
      else if (open === 'auth-user-pass' && inside > 1) found.push(line)
      inside++
      continue
    }
    open = BLOCK.exec(line)?.[1]
    inside = 0
    if (open === undefined && !ALLOWED.has(line.split(' ')[0] ?? '')) found.push(line)
    if (/[^ -~]/.test(line) || line.length > 254) found.push(line)
  }
  return open === undefined ? found : [...found, `<${open}> has no end`]
}

const withoutNotes = ({ notes: _notes, ...facts }: VpnProfile): Omit<VpnProfile, 'notes'> => facts

describe('profiles of providers', () => {
  for (const [name, text] of openvpnSamples()) {
    test(`${name} is accepted, and its cleaned text says the same`, () => {
      const first = bare(text)
      assert.deepEqual(holes(first.file), [])
      assert.deepEqual(withoutNotes(bare(first.file)), withoutNotes(first))
    })
  }

  test('facts for the firewall are taken from remote, port and proto', () => {
    assert.deepEqual(bare(openvpnSamples().get('many-servers-and-a-user') ?? '').endpoints, [
      { address: '198.51.100.1', protocol: 'udp', port: 1194 },
      { address: '198.51.100.2', protocol: 'udp', port: 1195 },
      { address: '198.51.100.3', protocol: 'udp', port: 1301 },
    ])
    assert.deepEqual(bare(openvpnSamples().get('home-server') ?? '').endpoints, [
      { address: '192.0.2.20', protocol: 'udp', port: 35_000 },
      { address: '192.0.2.20', protocol: 'tcp', port: 443 },
    ])
    assert.deepEqual(profile('port 53\nproto tcp4-client\nremote 192.0.2.2 80 udp').endpoints, [
      { address: '192.0.2.1', protocol: 'tcp', port: 53 },
      { address: '192.0.2.2', protocol: 'udp', port: 80 },
    ])
  })

  test('resolver and MTU are facts', () => {
    const { dns, mtu } = profile(
      'dhcp-option DNS 10.8.0.1\ndhcp-option DNS 10.8.0.2\ndhcp-option DNS 10.8.0.1\ntun-mtu 1400',
    )
    assert.deepEqual({ dns, mtu }, { dns: ['10.8.0.1', '10.8.0.2'], mtu: 1400 })
  })

  test('what was left out is in the notes, with the reason', () => {
    assert.deepEqual(profile('verb 3\nuser nobody\nroute 10.0.0.0 255.0.0.0 net_gateway\npush-peer-info').notes, [
      'Added remote-cert-tls server: without it another client of the provider could pose as the server.',
      'Left out because the router sets it itself: verb, user.',
      'Left out because everything goes through the tunnel: route.',
      'Left out because it would tell the server about this machine: push-peer-info.',
    ])
  })

  test('weak algorithms are noted', () => {
    const { notes = [] } = profile(
      'remote-cert-tls server\ncipher BF-CBC\nauth MD5\ntls-version-min 1.0\ntls-cipher DEFAULT:@SECLEVEL=0',
    )
    assert.deepEqual(notes, [
      'The cipher BF-CBC is weak.',
      'The digest MD5 is weak.',
      'TLS 1.0 is weak.',
      'The profile allows weak keys of TLS (SECLEVEL=0).',
    ])
    assert.deepEqual(profile('remote-cert-tls server\ncipher AES-256-GCM\nauth SHA256\ntls-version-min 1.2').notes, [])
  })

  test('an old cipher is added to those that are negotiated', () => {
    assert.match(
      profile('cipher aes-256-cbc').file,
      /^data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC\ndata-ciphers-fallback aes-256-cbc$/m,
    )
  })

  test('files beside the profile are put into it', () => {
    const text =
      'client\ndev tun\nremote 192.0.2.1\nca ca.crt\ncert ./keys/my.crt\nkey "keys/my.key"\ntls-auth ta.key 1\nauth-user-pass login.txt\n'
    const files = new Map([
      ['ca.crt', `${ca}\r\n`],
      ['keys/my.crt', cert],
      ['keys/my.key', key],
      ['ta.key', staticKey],
      ['login.txt', 'me\nsecret\n'],
    ])
    const { file } = parseVpnProfile('a', text, (path) => files.get(path))
    assert.deepEqual(withoutNotes(bare(file)), withoutNotes(parseVpnProfile('a', text, (path) => files.get(path))))
    assert.ok(file.includes('\nkey-direction 1\n') && file.includes('<auth-user-pass>\nme\nsecret\n</auth-user-pass>'))
    assert.throws(() => bare(text), { message: 'VPN profile a, line 4, ca: the file "ca.crt" is not there' })
  })
})

describe('what is refused', () => {
  const commands =
    'up down plugin route-up route-pre-down ipchange tls-verify auth-user-pass-verify client-connect client-disconnect learn-address iproute config cd chroot log log-append status writepid management management-external-key daemon tmp-dir engine providers pkcs11-providers pkcs11-id http-proxy socks-proxy setenv-safe mode server tls-server push secret ifconfig lladdr local askpass pkcs12 capath tls-crypt-v2-verify up-restart replay-persist tls-export-cert inetd syslog remote-random-hostname'
  for (const name of commands.split(' ')) {
    test(`${name}, in every spelling`, () => {
      const spellings = [
        `${name} x`,
        `--${name} x`,
        `  "${name}" x`,
        `'--${name}' x`,
        `\t${name}`,
        `setenv opt ${name} x`,
        `setenv opt setenv opt ${name} x`,
        `<${name}>\nx\n</${name}>`,
        `ignore-unknown-option ${name}\n${name} x`,
      ]
      for (const line of spellings) refused(line, new RegExp(`, line \\d+, ${name}: `))
    })
  }

  test('script-security from 2 on, and nothing as its level', () => {
    for (const level of ['2', '3', '', 'x', '1.9', '02'])
      refused(`script-security ${level}`, /lets OpenVPN run programs/)
    assert.doesNotMatch(profile('script-security 1').file, /script-security/)
  })

  test('variables, but those that do nothing', () => {
    for (const name of ['PATH', 'LD_PRELOAD', 'X', 'opt2', 'UV_', 'uv_x'])
      refused(`setenv ${name} 1`, /it would set the variable/)
    assert.doesNotMatch(profile('setenv CLIENT_CERT 0\nsetenv UV_IPV6 yes\nsetenv opt').file, /setenv /)
  })

  test('servers by name, by IPv6, and addresses that no server has', () => {
    for (const host of [
      'vpn.example.org',
      'localhost',
      '192.0.2',
      '192.0.2.1.',
      '0x7f000001',
      '010.0.0.1',
      '192.0.2.1/32',
      '',
    ]) {
      refused(`remote "${host}" 1194`, /is not an IPv4 address/)
    }
    for (const host of ['2001:db8::1', '::ffff:192.0.2.1']) refused(`remote ${host} 1194`, /has an IPv6 address/)
    for (const host of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255'])
      refused(`remote ${host}`, /no server can have/)
    for (const proto of ['udp6', 'tcp6-client']) refused(`proto ${proto}`, /carry no IPv6/)
    for (const proto of ['tcp-server', 'icmp', '']) refused(`proto "${proto}"`, /is not udp or tcp/)
    for (const port of ['0', '65536', '-1', '1e3', 'ssh', '']) refused(`port "${port}"`, /is not a port/)
  })

  test('no server, more than 64, and servers that OpenVPN would pass over', () => {
    assert.throws(() => bare(`client\ndev tun\n${KEYS}`), { message: /it names no server/ })
    const many = Array.from({ length: 64 }, (_, index) => `remote 192.0.2.${index + 2}`).join('\n')
    refused(many, /more than 64/)
    refused('<connection>\nremote 192.0.2.2\n</connection>', /beside connection blocks/)
    refused('<connection>\nremote 192.0.2.2\nremote 192.0.2.3\n</connection>', /exactly one remote/)
    refused('<connection>\nremote 192.0.2.2\nhttp-proxy 192.0.2.9 80\n</connection>', /line 6, http-proxy/)
  })

  test('compression (VORACLE)', () => {
    for (const line of [
      'comp-lzo',
      'comp-lzo yes',
      'comp-lzo adaptive',
      'compress lzo',
      'compress lz4',
      'compress lz4-v2',
      'compress migrate',
      'allow-compression yes',
      'allow-compression asym',
    ]) {
      refused(line, /VORACLE/)
    }
    assert.match(profile('comp-lzo no').file, /^comp-lzo no$/m)
  })

  test('no encryption at all', () => {
    for (const line of [
      'cipher none',
      'data-ciphers AES-256-GCM:none',
      'data-ciphers-fallback none',
      'auth none',
      'tls-cipher NULL-SHA256',
      'tls-cipher DEFAULT:ADH-AES256-SHA',
    ]) {
      refused(line, /encrypts nothing|protects nothing/)
    }
    assert.doesNotThrow(() => profile('tls-cipher DEFAULT:!EXP:!NULL:-aNULL'))
  })

  test('bridges', () => {
    for (const line of ['dev tap', 'dev tap0', 'dev-type tap', 'dev eth0', 'dev "tun; x"', 'dev null', 'dev'])
      refused(line, /only a tun device/)
  })

  test('a profile that is no client, or does not say who the server is', () => {
    assert.throws(() => bare(`dev tun\nremote 192.0.2.1\n${KEYS}`), { message: /, client: it is missing/ })
    assert.throws(() => bare(`client\ndev tun\nremote 192.0.2.1\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>`), {
      message: /which server is the right one/,
    })
    assert.throws(() => bare(`client\ndev tun\nremote 192.0.2.1\n<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>`), {
      message: /cert and key belong together/,
    })
    assert.throws(() => bare(`client\ndev tun\nremote 192.0.2.1\n<ca>\n${ca}\n</ca>`), {
      message: /neither certificate and key nor a user/,
    })
  })

  test('questions that nobody could answer on a router', () => {
    refused('auth-user-pass', /asks for something to be typed/)
    refused('<auth-user-pass>\nme\n</auth-user-pass>', /a user and a password/)
    refused(`<key>\n${key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')}\n</key>`, /locked by a password/)
    refused(
      `<key>\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n</key>`,
      /locked by a password/,
    )
  })

  test('blocks that hold anything but what their name says', () => {
    refused(`<extra-certs>\n${key}\n</extra-certs>`, /does not belong there/)
    refused('<extra-certs>\nhello\n</extra-certs>', /no whole block/)
    refused(`<extra-certs>\n${ca.replace(/\n-----END.*/, '')}\n</extra-certs>`, /no whole block/)
    refused(
      '<extra-certs>\n-----BEGIN CERTIFICATE-----\nup /bin/sh\n-----END CERTIFICATE-----\n</extra-certs>',
      /not base64/,
    )
    refused(`<tls-auth>\n${staticKey.replace(/[0-9a-f]{32}\n/, '')}\n</tls-auth>`, /2048 bits/)
    refused('peer-fingerprint 00:11', /SHA-256 fingerprints/)
    refused(`<tls-auth>\n${staticKey}\n</tls-auth>\n<tls-crypt>\n${staticKey}\n</tls-crypt>`, /cannot go with/)
    refused('<client>\nx\n</client>', /cannot be an inline block/)
    refused('<verb>\nx\n</verb>', /cannot be an inline block/)
    refused('ca ca.crt 1', /too many words/)
    refused('tls-auth ta.key 2', /is not a direction/)
  })

  test('a user that would end its block and go on with a directive', () => {
    for (const text of ['</auth-user-pass>\nup /bin/sh\n', 'me\n </auth-user-pass>\n', 'me\n', 'me\nsecret\nup x\n']) {
      refused('auth-user-pass login', /a tag|a user and a password/, (path) => (path === 'login' ? text : undefined))
    }
  })

  test('secrets are in no message', () => {
    const secret = 'correct-horse-battery'
    for (const lines of [
      `<auth-user-pass>\nme\n${secret}\nthird\n</auth-user-pass>`,
      `<auth-user-pass>\nme\n${secret}\t\n</auth-user-pass>`,
      `<key>\n${secret}\n</key>`,
    ]) {
      refused(lines, new RegExp(`^(?!.*${secret})`))
    }
  })
})

describe('whatever stands in a profile', () => {
  const hostile = fc.constantFrom(
    'up /bin/sh',
    '--up "/bin/sh -c x"',
    '"up" x',
    'script-security 2',
    'setenv opt up x',
    'plugin /tmp/x.so',
    'config /etc/shadow',
    '<connection>',
    '</connection>',
    '<ca>',
    '</ca>',
    '<auth-user-pass>',
    '</auth-user-pass>',
    '<up>',
    '</up>',
    'verify-x509-name "a\\" \\\\" name',
    "verify-x509-name '</ca>' name",
    'log /etc/passwd',
    'management 0.0.0.0 1',
    'remote evil.example',
    'remote 198.51.100.99 1 udp',
    'ignore-unknown-option up',
    'pull-filter accept route',
    'iproute /x',
    'dhcp-option DNS 10.1.1.1',
    'dhcp-option DOMAIN "a\nup x"',
  )
  const harmless = fc.constantFrom(
    'verb 3',
    'nobind',
    'remote 192.0.2.9 443 tcp',
    'cipher AES-128-GCM',
    'keepalive 10 60',
    'mssfix',
    'tun-mtu 1300',
    'verify-x509-name server name',
    'user nobody',
    'setenv CLIENT_CERT 0',
    'comp-lzo no',
    '# comment',
    '',
    `<tls-crypt>\n${staticKey}\n</tls-crypt>`,
  )
  const name = fc.constantFrom(
    ...ALLOWED,
    'up',
    'setenv',
    'proto',
    'port',
    'ca',
    'tls-auth',
    'auth-user-pass',
    'verb',
    'route',
  )
  const argument = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('x', '1', '"', '\\', "'", '</ca>', 'a\nup /bin/sh', 'no', '192.0.2.7', 'server'),
  )
  const spelled = fc
    .tuple(name, fc.array(argument, { maxLength: 3 }), fc.constantFrom('plain', 'quoted', 'single'))
    .map(([word, args, how]) =>
      [
        word,
        ...args.map((arg) =>
          how === 'plain' ? arg : how === 'single' ? `'${arg}'` : `"${arg.replaceAll(/[\\"]/g, '\\$&')}"`,
        ),
      ].join(' '),
    )
  const line = fc.oneof(
    { weight: 4, arbitrary: harmless },
    { weight: 1, arbitrary: hostile },
    { weight: 3, arbitrary: spelled },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  )

  test('no line of the cleaned text begins with anything but what is allowed, and it says the same again', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        let found: VpnProfile
        try {
          found = profile(lines.join('\n'))
        } catch (error) {
          assert.ok(isVmpkgError(error, 'VPN_PROFILE_INVALID'), String(error))
          return
        }
        accepted++
        assert.deepEqual(holes(found.file), [])
        assert.deepEqual(withoutNotes(bare(found.file)), withoutNotes(found))
        for (const { address } of found.endpoints) assert.match(address, /^\d+\.\d+\.\d+\.\d+$/)
      }),
      { numRuns: 4000 },
    )
    assert.ok(accepted > 400, `only ${accepted} of 4000 were accepted`)
  })

  test('no value of any field adds a line (N2)', () => {
    const [text = ''] = openvpnSamples().values()
    const words = [...text.matchAll(/\S+/g)].filter(({ index }) => index > 300)
    const expected = bare(text).file.split('\n').length
    fc.assert(
      fc.property(fc.nat(words.length - 1), argument, fc.boolean(), (which, value, isInserted) => {
        const { index, 0: word } = words[which] ?? assert.fail()
        const changed = text.slice(0, index) + value + text.slice(isInserted ? index : index + word.length)
        try {
          const { file } = bare(changed)
          assert.deepEqual(holes(file), [])
          assert.ok(file.split('\n').length <= expected + 1, value)
        } catch (error) {
          assert.ok(isVmpkgError(error, 'VPN_PROFILE_INVALID'), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('user and password come through as they are, or not at all', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'grapheme' }), (user, password) => {
        try {
          const { file } = profile(`<auth-user-pass>\n${user}\n${password}\n</auth-user-pass>`)
          assert.ok(file.includes(`\n<auth-user-pass>\n${user}\n${password}\n</auth-user-pass>\n`))
          assert.deepEqual(holes(file.replace(`${user}\n${password}`, 'u\np')), [])
        } catch (error) {
          assert.ok(isVmpkgError(error, 'VPN_PROFILE_INVALID'), String(error))
        }
      }),
    )
  })
})
