/** Starting on real libvirt and QEMU, with routers that run as far as the firmware: they never attest. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyLower, tinyRouter } from '../support/tiny-packages.ts'
import { vpnKeys } from '../support/vpn-profiles.ts'

const { ca, cert, key } = vpnKeys()
const PROFILE = `client\nremote 203.0.113.7 1194 udp\n<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>\n`

describe('starting machines', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const running = async (): Promise<readonly string[]> =>
    (await site.virsh('list', '--name')).split('\n').filter(Boolean).toSorted()
  const lanLink = async (name: string): Promise<string> => {
    const xml = await site.virsh('dumpxml', name)
    const mac = / lanMac="([^"]+)"/.exec(xml)?.[1] ?? ''
    return (await site.virsh('domif-getlink', name, mac)).trim().split(' ').at(-1) ?? ''
  }

  before(async () => {
    site = await makeSite('start', [tinyRouter('router-tiny'), tinyLower('router-low'), tinyApp('app')])
    const file = join(site.cli.folder, 'home.ovpn')
    await writeFile(file, PROFILE)
    const set = ['--no-start', 'router-low', 'app', '--set', `router-low:vpn=${file}`]
    await site.cli.ok(['install', '-y', '--grant', 'network', ...set])
    await site.cli.ok(['clone', 'app', '--name', 'web', '--net', 'uni0', '--no-start'])
  })
  after(() => site.close())

  test('a name that there is not keeps the others from being started', async () => {
    const { status, stderr } = await site.cli.run(['start', 'router-low', 'nobody'])
    assert.equal(status, 100)
    assert.match(stderr, /DOMAIN_UNKNOWN/)
    assert.deepEqual(await running(), [])
  })

  test('a router boots together with the one above and what else is named, and no LAN opens before it attests', async () => {
    const { status, stderr } = await site.cli.run(['start', 'web', 'router-low', '--timeout', '2'])
    assert.equal(status, 100)
    assert.match(stderr, /router-tiny .*\[GUEST_NOT_READY\]/s)
    assert.deepEqual(await running(), ['router-low', 'router-tiny', 'web'])
    assert.deepEqual([await lanLink('router-tiny'), await lanLink('router-low')], ['down', 'down'])
    assert.deepEqual((await site.observe()).pending, [])
  })
})
