import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isVmpkgError } from '../../src/errors.ts'
import type { GuestTemplateContext, RouterContext } from '../../src/model/template-context.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { readTemplate, routerContext } from '../support/render-contexts.ts'

const router: RouterContext = {
  layer: 'uni',
  instance: 'uni0',
  wan: { mac: '52:54:00:0a:00:01' },
  lowers: [],
  forwards: [],
  lan: {
    mac: '52:54:00:0a:00:02',
    cidr: '10.1.1.0/24',
    address: '10.1.1.1',
    prefix: 24,
    netmask: '255.255.255.0',
    broadcast: '10.1.1.255',
    rangeFirst: '10.1.1.100',
    rangeLast: '10.1.1.250',
    leaseSeconds: 3600,
  },
}
const context: GuestTemplateContext = {
  identity: { hostname: 'router-uni', machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) },
  nics: routerContext.nics,
  ...(routerContext.wan === undefined ? {} : { wan: routerContext.wan }),
  ...(routerContext.lan === undefined ? {} : { lan: routerContext.lan }),
  router,
  params: { greeting: 'it is; reboot' },
}

const endpoints = [{ address: '203.0.113.7', protocol: 'udp', port: 1194 }] as const
/** Behind another router, with a tunnel and with a router behind it. */
const lower: GuestTemplateContext = {
  ...context,
  router: {
    ...router,
    layer: 'gal',
    wan: { mac: router.wan.mac, address: '10.9.9.2', prefix: 24, broadcast: '10.9.9.255', gateway: '10.9.9.1' },
    lowers: [{ name: 'router-sol', wanMac: '52:54:00:0a:00:03', wanAddress: '10.1.1.2', endpoints }],
    vpn: { name: 'home', kind: 'openvpn', endpoints, dns: ['10.8.0.1'], addresses: ['10.8.0.2/32'], mtu: 1400 },
  },
}

const AUTHORITY = {
  nickname: 'alpha',
  address: '203.0.113.11',
  orPort: 5001,
  dirPort: 7001,
  v3Ident: 'A'.repeat(40),
  fingerprint: 'B'.repeat(40),
}
/** The third layer, with the file of a test network. */
const tor: GuestTemplateContext = {
  ...lower,
  router: {
    ...router,
    layer: 'sol',
    wan: { mac: router.wan.mac, address: '10.9.9.2', prefix: 24, broadcast: '10.9.9.255', gateway: '10.9.9.1' },
    tor: {
      name: 'lab',
      kind: 'private',
      isTesting: true,
      usesConsensus: false,
      authorities: [AUTHORITY],
      bridges: [],
      endpoints: [{ address: '203.0.113.11', protocol: 'tcp', port: 5001 }],
    },
  },
}
const CONTEXTS: Readonly<Record<string, GuestTemplateContext>> = { 'router-gal': lower, 'router-sol': tor }

test('every guest template of this repository renders, with no placeholder left', () => {
  let count = 0
  for (const name of ['router-uni', 'router-gal', 'router-sol', 'app-console']) {
    for (const file of readdirSync(fileURLToPath(new URL(`../../templates/${name}/guest`, import.meta.url)))) {
      const template = readTemplate(`${name}/guest/${file}`)
      const text = renderGuestFile(file, template, CONTEXTS[name] ?? context)
      assert.ok(text.length > 0 && !text.includes('{{'), file)
      assert.ok(!template.includes('identity.hostname') || text.includes('router-uni'), file)
      count += 1
    }
  }
  assert.ok(count >= 11, `${count} templates`)
})

for (const name of ['router-uni', 'router-gal']) {
  const rules = (one: GuestTemplateContext): readonly string[] =>
    renderGuestFile('nftables.nft.hbs', readTemplate(`${name}/guest/nftables.nft.hbs`), one).split('\n')

  test(`${name}: what its rules say of a router behind it stands before what they say of clients`, () => {
    const text = rules(lower)
    const all = text.map((line) => line.trim())
    const forClients = all.findIndex((line) => /^iifname "lan" oifname "\w+" ip saddr 10\.1\.1\.0\/24/.test(line))
    const toEndpoint = all.findIndex((line) =>
      line.endsWith(' ip saddr 10.1.1.2 ip daddr 203.0.113.7 udp dport 1194 accept'),
    )
    const nothingElse = all.indexOf('ip saddr 10.1.1.2 drop')
    assert.ok(toEndpoint > 0 && toEndpoint < nothingElse && nothingElse < forClients)
    const early = all.indexOf('iifname "lan" ip saddr 10.1.1.0/24 accept')
    const bound = all.indexOf('iifname "lan" ether saddr != 52:54:00:0a:00:03 ip saddr 10.1.1.2 drop')
    assert.ok(bound > 0 && bound < early)
    const unbound = all.indexOf('iifname "lan" ether saddr 52:54:00:0a:00:03 ip saddr != 10.1.1.2 drop')
    assert.ok(unbound > 0 && unbound < early)
  })

  test(`${name}: without routers behind it, its rules name none`, () => {
    const { router: full } = lower
    assert.ok(full !== undefined)
    assert.doesNotMatch(rules({ ...lower, router: { ...full, lowers: [] } }).join('\n'), /ether saddr|10\.1\.1\.2\b/)
  })
}

test('router-gal: no rule leads clients to the WAN, and nothing is accepted there for being established alone', () => {
  const text = renderGuestFile('nftables.nft.hbs', readTemplate('router-gal/guest/nftables.nft.hbs'), lower)
  const accepted = text.split('\n').filter((line) => /\baccept$/.test(line) && !/policy/.test(line))
  const atWan = accepted.filter((line) => /(?:iif|oif)name "wan"/.test(line))
  assert.deepEqual(
    atWan.map((line) => line.trim()),
    [
      'iifname "wan" ip saddr 203.0.113.7 udp sport 1194 ct state established accept',
      'oifname "wan" ip saddr 10.9.9.2 ip daddr 203.0.113.7 udp dport 1194 meta skuid 900 accept',
    ],
  )
  assert.ok(accepted.every((line) => !/^\s*ct state established/.test(line)))
  assert.match(text, /oifname "tunnel" ip saddr 10\.1\.1\.0\/24 masquerade/)
})

test('one value is quoted for a shell and refused in a rule file', () => {
  assert.equal(renderGuestFile('a.env.hbs', 'G={{params.greeting}}', context), "G='it is; reboot'")
  assert.throws(
    () => renderGuestFile('a.nft.hbs', 'add rule {{params.greeting}}', context),
    (error) => isVmpkgError(error, 'RENDER_REFUSED') && /params\.greeting/.test(error.message),
  )
})

test('a declared parameter without a value is absent, an undeclared one an error', () => {
  const template = '{{#if params.vpn}}vpn{{else}}none{{/if}}'
  assert.equal(renderGuestFile('a.conf.hbs', template, context, ['vpn']), 'none')
  assert.throws(
    () => renderGuestFile('a.conf.hbs', template, context),
    (error) => isVmpkgError(error, 'TEMPLATE_INVALID'),
  )
})

describe('router-sol', () => {
  const render = (file: string, network: NonNullable<RouterContext['tor']>): readonly string[] => {
    const { router: full } = tor
    assert.ok(full !== undefined)
    const text = renderGuestFile(file, readTemplate(`router-sol/guest/${file}`), {
      ...tor,
      router: { ...full, tor: network },
    })
    return text.split('\n').map((line) => line.trim())
  }
  const own = tor.router?.tor
  assert.ok(own !== undefined)
  const open = {
    ...own,
    kind: 'public',
    isTesting: false,
    usesConsensus: true,
    authorities: [],
    endpoints: [],
  } as const
  const bridges = {
    ...own,
    kind: 'bridges',
    isTesting: false,
    authorities: [],
    bridges: [{ address: '203.0.113.5', port: 443 }],
  } as const

  test('forwards nothing, and sends on the WAN what the user of Tor sends to its relays', () => {
    const rules = render('nftables.nft.hbs', own)
    const start = rules.indexOf('chain forward {')
    assert.deepEqual(rules.slice(start + 1, rules.indexOf('}', start)), [
      'type filter hook forward priority filter; policy drop;',
    ])
    const atWan = (lines: readonly string[]): readonly string[] =>
      lines.filter((line) => /(?:iif|oif)name "wan".*accept$/.test(line))
    assert.deepEqual(atWan(rules), [
      'iifname "wan" ip saddr 203.0.113.11 tcp sport 5001 ct state established accept',
      'oifname "wan" ip saddr 10.9.9.2 ip daddr 203.0.113.11 tcp dport 5001 meta skuid 901 accept',
    ])
    assert.deepEqual(atWan(render('nftables.nft.hbs', open)), [
      'iifname "wan" meta l4proto tcp ct state established accept',
      'oifname "wan" ip saddr 10.9.9.2 meta l4proto tcp meta skuid 901 accept',
    ])
  })

  test('has Tor as a client that keeps clients and targets apart and is steered by a socket', () => {
    const lines = render('torrc.hbs', own)
    for (const port of ['Socks', 'Trans', 'DNS']) {
      const found = lines.filter((line) => line.startsWith(`${port}Port `))
      assert.equal(found.length, 1)
      assert.match(found[0] ?? '', /^\w+ 10\.1\.1\.1:\d+ IsolateClientAddr/)
    }
    for (const line of ['ClientOnly 1', 'ORPort 0', 'ControlPort 0', 'TestingTorNetwork 1'])
      assert.ok(lines.includes(line), line)
    const [a, b] = ['A'.repeat(40), 'B'.repeat(40)]
    assert.ok(lines.includes(`DirAuthority alpha orport=5001 v3ident=${a} 203.0.113.11:7001 ${b}`))
  })

  test('names bridges where there are some, and for the public network nothing', () => {
    const named = (lines: readonly string[]): readonly string[] =>
      lines.filter((line) => /^(?:UseBridges|Bridge|DirAuthority|TestingTorNetwork)\b/.test(line))
    assert.deepEqual(named(render('torrc.hbs', bridges)), ['UseBridges 1', 'Bridge 203.0.113.5:443'])
    assert.deepEqual(named(render('torrc.hbs', open)), [])
  })
})

test('router-gal: one that uses the consensus reaches relays, in the tunnel and before what clients may', () => {
  const { router: full } = lower
  assert.ok(full !== undefined)
  const [first] = full.lowers
  assert.ok(first !== undefined)
  const render = (file: string, more: object): readonly string[] =>
    renderGuestFile(file, readTemplate(`router-gal/guest/${file}`), {
      ...lower,
      router: { ...full, lowers: [{ ...first, endpoints: [], ...more }] },
    })
      .split('\n')
      .map((line) => line.trim())
  const named = (lines: readonly string[]): readonly string[] =>
    lines.filter((line) => line.includes('10.1.1.2 ') && line.endsWith('accept'))
  const ofTor = (lines: readonly string[]): readonly string[] =>
    lines.filter((line) => /skuid 901|direction reply/.test(line))
  const [closed, open] = [render('nftables.nft.hbs', {}), render('nftables.nft.hbs', { reach: 'tor' })]
  assert.deepEqual([named(closed), ofTor(closed)], [[], []])
  assert.deepEqual(named(open), [
    'iifname "lan" oifname "tunnel" ip saddr 10.1.1.2 ip daddr . tcp dport @relays accept',
    'iifname "tunnel" oifname "lan" ip daddr 10.1.1.2 ip saddr . tcp sport @relays ct state established accept',
  ])
  assert.deepEqual(ofTor(open), [
    'iifname "tunnel" meta l4proto tcp ct state established ct direction reply accept',
    'oifname "tunnel" meta l4proto tcp meta skuid 901 accept',
  ])
  for (const lines of [closed, open])
    assert.ok(
      lines.some((line) => line.startsWith('set relays {')),
      'it is always there',
    )
  assert.ok(!render('vmpkg.env.hbs', {}).includes('TOR_RELAYS=1'))
  assert.ok(render('vmpkg.env.hbs', { reach: 'tor' }).includes('TOR_RELAYS=1'))
})

test('router-gal: its Tor has no port for anybody, and the authorities that are given or those of its program', () => {
  const { router: full } = lower
  const { router: own } = tor
  assert.ok(full !== undefined && own?.tor !== undefined)
  const render = (network: NonNullable<RouterContext['tor']>): readonly string[] =>
    renderGuestFile('torrc.hbs', readTemplate('router-gal/guest/torrc.hbs'), {
      ...lower,
      router: { ...full, tor: network },
    }).split('\n')
  const lines = render(own.tor)
  for (const port of ['Socks', 'OR', 'Dir', 'ExtOR', 'Control']) assert.ok(lines.includes(`${port}Port 0`), port)
  assert.deepEqual(
    lines.filter((line) => line.startsWith('DirAuthority ')),
    [`DirAuthority alpha orport=5001 v3ident=${'A'.repeat(40)} 203.0.113.11:7001 ${'B'.repeat(40)}`],
  )
  const open = render({ ...own.tor, kind: 'public', isTesting: false, usesConsensus: true, authorities: [] })
  assert.deepEqual(
    open.filter((line) => /^(?:DirAuthority|TestingTorNetwork|UseBridges)/.test(line)),
    [],
  )
})
