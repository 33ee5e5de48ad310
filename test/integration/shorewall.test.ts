/**
 * The rendering for Shorewall before Debian's Shorewall, and its rules before packets: a router, a client and all that is
 * beyond, in three network namespaces.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { renderShorewall, type ShorewallPolicy } from '../../src/router/shorewall.ts'
import { checkShorewall, rulesOf, runAlone } from '../support/shorewall-check.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const skip = process.getuid?.() === 0 ? false : 'shorewall asks the kernel what it can do, which only root may'
const endpoints = [
  { address: '203.0.113.7', protocol: 'udp', port: 443 },
  { address: '203.0.113.8', protocol: 'tcp', port: 1194 },
] as const
const uni: ShorewallPolicy = {
  wan: { device: 'wan' },
  lan: { device: 'lan', cidr: '10.1.1.0/24', address: '10.1.1.1' },
  house: '192.168.1.0/24',
  lowers: [
    { address: '10.1.1.100', endpoints },
    { address: '10.1.1.101', endpoints: [] },
  ],
}
const gal: ShorewallPolicy = {
  wan: { device: 'wan' },
  lan: { device: 'lan', cidr: '10.2.2.0/24', address: '10.2.2.1' },
  lowers: [],
  tunnel: { device: 'tunnel', endpoints },
}

/**
 * Rules that accept from one zone to another. A chain for established ones ends in an ACCEPT that nothing reaches where
 * they were dropped before it.
 */
function accepted(output: string, zones: string): readonly string[] {
  const dropped = new Set<string>()
  return output.split('\n').filter((line) => {
    const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? []
    if (!chain.endsWith(zones)) return false
    if (chain.startsWith('^') && rule === '-m conntrack --ctstate ESTABLISHED -j DROP') dropped.add(chain)
    return rule.endsWith('-j ACCEPT') && !dropped.has(chain)
  })
}

describe('shorewall check', { skip }, () => {
  for (const [name, policy] of Object.entries({ uni, 'uni alone': { wan: uni.wan, lan: uni.lan, lowers: [] }, gal })) {
    test(`takes ${name} without a warning`, async (t) => {
      const { status, output } = await checkShorewall(t, renderShorewall(policy))
      assert.equal(status, 0, output)
      assert.match(output, /Shorewall configuration verified/)
      assert.doesNotMatch(output, /WARNING|ERROR/)
    })
  }

  test('makes rules of gal in which nothing is accepted between LAN and WAN', async (t) => {
    const { output } = await checkShorewall(t, renderShorewall(gal))
    assert.deepEqual(accepted(output, 'gal-wan'), [])
    assert.deepEqual(accepted(output, 'wan-gal'), [])
    const out = accepted(output, 'fw-wan')
    assert.equal(out.length, 4, out.join('\n')) // two endpoints, new and established
    assert.ok(out.every((line) => endpoints.some(({ address }) => line.includes(`-d ${address} `))))
    assert.match(output, /^-A POSTROUTING -o tunnel -j tunnel_masq$/m)
    assert.doesNotMatch(output, /POSTROUTING -o wan/)
    for (const chain of ['INPUT', 'FORWARD', 'OUTPUT']) assert.match(output, new RegExp(`^:${chain} DROP`, 'm'))
  })

  test('would tell of a mistake (negative control)', async (t) => {
    const files = new Map(renderShorewall(gal)).set('policy', 'gal nowhere ACCEPT\nall all DROP\n')
    const { status, output } = await checkShorewall(t, files)
    assert.notEqual(status, 0)
    assert.match(output, /ERROR/)
  })
})

describe('packets against its rules', { skip }, () => {
  const script = join(import.meta.dirname, '..', 'support', 'shorewall-packets.sh')
  const one = [{ address: '203.0.113.7', protocol: 'udp', port: 443 }] as const
  const other = [{ address: '203.0.113.99', protocol: 'udp', port: 443 }] as const
  const lan = { device: 'lan', cidr: '10.2.2.0/24', address: '10.2.2.1' }
  const wan = { device: 'wan' }

  const rules = async (t: TestContext, policy: ShorewallPolicy): Promise<string> =>
    rulesOf(await checkShorewall(t, renderShorewall(policy)))
  const probe = async (
    t: TestContext,
    layer: 'uni' | 'gal',
    ...texts: readonly string[]
  ): Promise<readonly string[]> => {
    const folder = await makeTempFolder(t)
    const files = texts.map((_, index) => join(folder, String(index)))
    for (const [index, text] of texts.entries()) await writeFile(files[index] ?? '', text)
    const { status, output } = await runAlone(['bash', script, layer, ...files])
    assert.equal(status, 0, output)
    return output.trim().split('\n')
  }

  test('gal lets its LAN into the tunnel only, and itself to the endpoint only', async (t) => {
    const text = await rules(t, { wan, lan, lowers: [], tunnel: { device: 'tunnel', endpoints: one } })
    assert.deepEqual(await probe(t, 'gal', text), [
      'client-by-tunnel 0 1',
      'client-without-tunnel 0 0',
      'client-to-endpoint 0 0',
      'own-to-endpoint 1 0',
      'own-to-other-port 0 0',
      'own-to-other-address 0 0',
    ])
    // Negative control: with that one rule turned round, the same probes do come out.
    const open = text.replace('-A gal-wan -j DROP', '-A gal-wan -j ACCEPT')
    assert.deepEqual((await probe(t, 'gal', open)).slice(1, 3), ['client-without-tunnel 1 0', 'client-to-endpoint 1 0'])
  })

  test('uni lets a lower router to its endpoint only, and not to an earlier one that still answers', async (t) => {
    const before = await rules(t, { wan, lan, lowers: [{ address: '10.2.2.9', endpoints: one }] })
    const later = await rules(t, { wan, lan, lowers: [{ address: '10.2.2.9', endpoints: other }] })
    assert.deepEqual(await probe(t, 'uni', before, later), [
      'lower-to-endpoint 1 0',
      'lower-elsewhere 0 0',
      'lower-to-old-endpoint 0 0',
      'lower-to-new-endpoint 1 0',
    ])
    const careless = later.split('\n').filter((line) => !/^-A \^uni-wan .*-j DROP$/.test(line))
    assert.deepEqual((await probe(t, 'uni', before, careless.join('\n'))).at(2), 'lower-to-old-endpoint 1 0')
  })
})
