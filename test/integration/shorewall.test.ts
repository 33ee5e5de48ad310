/** The rendering for Shorewall before Debian's Shorewall, in a network namespace of its own: nothing is loaded. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { renderShorewall, type ShorewallPolicy } from '../../src/router/shorewall.ts'
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

interface Checked {
  readonly status: number | string
  readonly output: string
}

/** `shorewall check -r`: its verdict, and the rules it would load. */
async function check(t: TestContext, files: ReadonlyMap<string, string>): Promise<Checked> {
  const folder = join(await makeTempFolder(t), 'shorewall')
  await mkdir(folder)
  for (const [name, text] of files) await writeFile(join(folder, name), text)
  return new Promise((resolve) => {
    execFile(
      'unshare',
      ['--net', '--', 'shorewall', 'check', '-r', folder],
      { timeout: 120_000, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ status: error?.code ?? 0, output: `${stdout}${stderr}` }),
    )
  })
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
      const { status, output } = await check(t, renderShorewall(policy))
      assert.equal(status, 0, output)
      assert.match(output, /Shorewall configuration verified/)
      assert.doesNotMatch(output, /WARNING|ERROR/)
    })
  }

  test('makes rules of gal in which nothing is accepted between LAN and WAN', async (t) => {
    const { output } = await check(t, renderShorewall(gal))
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
    const { status, output } = await check(t, files)
    assert.notEqual(status, 0)
    assert.match(output, /ERROR/)
  })
})
