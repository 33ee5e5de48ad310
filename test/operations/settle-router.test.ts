/** Routers behind routers through the command line on a private host: what each is given, and what each lets through. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { chmod, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyLower, tinyRouter } from '../support/tiny-packages.ts'
import { vpnKeys } from '../support/vpn-profiles.ts'

const { ca, cert, key } = vpnKeys()
const SECRET = key.split('\n')[1] ?? ''
const profile = (address: string): string =>
  `client\nremote ${address} 1194 udp\n<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>\n`

interface Rendered {
  readonly documents: readonly { readonly name: string; readonly text: string }[]
}

describe('a router behind a router', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let file = ''
  const rulesOf = async (name: string): Promise<string> => {
    const { documents } = (await site.cli.json(['render', name, '--guest'])) as unknown as Rendered
    return documents.find((one) => one.name === 'nftables.nft')?.text ?? ''
  }
  const install = async (...args: readonly string[]): Promise<string> =>
    site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', ...args])

  before(async () => {
    site = await makeSite('lowers', [
      tinyRouter('router-tiny'),
      tinyLower('router-low'),
      tinyLower('router-up', 'uni', 'gal'),
      tinyLower('router-deep', 'sol', 'gal'),
    ])
    file = join(site.cli.folder, 'Home VPN.ovpn')
    await writeFile(file, profile('203.0.113.7'))
  })
  after(() => site.close())

  test('it brings the upper router, stands on its LAN at a reserved address, and has a LAN of its own', async () => {
    await install('router-low', '--set', `vpn=${file}`)
    assert.deepEqual((await site.observe()).networks.toSorted(), ['gal0', 'uni0', 'vmpkg-uplink'])
    const xml = await site.virsh('dumpxml', 'router-low', '--inactive')
    assert.match(xml, /<source network='uni0'\/>/)
    assert.match(xml, / net="uni0"/)
    assert.match(xml, / wanAddress="10\.1\.1\.2"/)
    assert.match(xml, / endpoints="udp:203\.0\.113\.7:1194"/)
    assert.match(await site.virsh('net-dumpxml', 'gal0'), /cidr="10\.2\.2\.0\/24"/)
  })

  test('the upper router’s rules let it reach its endpoint and nothing else', async () => {
    const mac = / wanMac="([^"]+)"/.exec(await site.virsh('dumpxml', 'router-low', '--inactive'))?.[1] ?? ''
    const rules = await rulesOf('router-tiny')
    assert.match(rules, new RegExp(`ether saddr != ${mac} ip saddr 10.1.1.2 drop`))
    assert.match(rules, /ip saddr 10\.1\.1\.2 ip daddr 203\.0\.113\.7 udp dport 1194 accept/)
    assert.match(rules, /ip saddr 10\.1\.1\.2 drop\n/)
    const [, recorded] = / rules="([0-9a-f]{64})"/.exec(await site.virsh('dumpxml', 'router-tiny', '--inactive')) ?? []
    const { createHash } = await import('node:crypto')
    assert.equal(createHash('sha256').update(rules).digest('hex'), recorded)
  })

  test('the profile is in no XML, no history and no table that others read', async () => {
    const state = join(site.cli.folder, 'root', 'var', 'lib', 'vmpkg', 'state.db')
    assert.equal((await stat(state)).mode & 0o777, 0o600)
    const seen = [
      await site.virsh('dumpxml', 'router-low', '--inactive'),
      await site.cli.ok(['history', '--json']),
      await site.cli.ok(['show', 'router-low', '--json']),
      await site.cli.ok(['render', 'router-low', '--json', '--network']),
      await site.cli.ok(['status', '--json']),
    ].join('\n')
    const encoded = Buffer.from(readFileSync(file)).toString('base64')
    assert.ok(SECRET.length > 40 && !seen.includes(SECRET) && !seen.includes(encoded.slice(0, 60)))
  })

  test('another profile is taken by installing again, and the upper router follows', async () => {
    await writeFile(file, profile('203.0.113.8'))
    await chmod(file, 0o600)
    await install('router-low', '--set', `vpn=${file}`, '--reinstall')
    const rules = await rulesOf('router-tiny')
    assert.match(rules, /203\.0\.113\.8/)
    assert.doesNotMatch(rules, /203\.0\.113\.7/)
  })

  test('a profile with something in it that runs a program is refused, with its line', async () => {
    const evil = join(site.cli.folder, 'evil.ovpn')
    await writeFile(evil, 'remote 203.0.113.7\nup /bin/sh\n')
    const { status, stderr } = await site.cli.run([
      'install',
      '-y',
      'router-low',
      '--reinstall',
      '--set',
      `vpn=${evil}`,
    ])
    assert.equal(status, 100)
    assert.match(stderr, /line 2.*\bup\b.*\[VPN_PROFILE_INVALID\]/s)
  })

  test('it stands behind no router that is not there, of another layer, or itself', async () => {
    const refused = async (...args: readonly string[]): Promise<string> => {
      const { status, stderr } = await site.cli.run(['install', '-y', '--grant', 'network', '--no-start', ...args])
      assert.equal(status, 100, stderr)
      return stderr
    }
    const low = ['router-low', '--reinstall', '--set']
    assert.match(await refused(...low, 'uplink=router:router-low'), /cannot stand behind itself/)
    assert.match(await refused(...low, 'uplink=router:nobody'), /no router "nobody"/)
    assert.match(await refused('router-up', '--set', `vpn=${file}`), /asks for the LAN of a gal router/)
    const deep = ['router-deep', '--set', `vpn=${file}`, '--set', 'uplink=router:router-tiny']
    assert.match(await refused(...deep), /of layer sol, stands behind gal/)
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('the upper router cannot go without it, and lets nothing through once it is gone', async () => {
    await site.cli.ok(['remove', '-y', 'router-low'])
    assert.doesNotMatch(await rulesOf('router-tiny'), /203\.0\.113/)
    assert.deepEqual((await site.observe()).networks.toSorted(), ['uni0', 'vmpkg-uplink'])
    await install('router-low')
    assert.match(await rulesOf('router-tiny'), /203\.0\.113\.8/, 'its values are kept, the profile too')
    await site.cli.ok(['remove', '-y', 'router-tiny'])
    assert.deepEqual((await site.observe()).domains, [])
  })
})
