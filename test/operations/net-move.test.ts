/** net move on real libvirt and QEMU: whose bridge a card's tap is on and whether its link is up, looked at all the while. */
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

describe('net move', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  /** Network, bridge and link of the only card, of what runs. */
  const cardOf = async (name: string): Promise<string> => {
    const xml = await site.virsh('dumpxml', name)
    const source = /<source network='([^']+)'[^>]*?(?:bridge='([^']+)')?\/>/.exec(xml)
    return `${source?.[1]} ${source?.[2] ?? '-'} ${/<link state='down'\/>/.test(xml) ? 'down' : 'up'}`
  }
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { status, stderr } = await site.cli.run(['net', 'move', ...args])
    assert.equal(status, 100, stderr)
    return stderr
  }
  const rules = async (name: string): Promise<string> => {
    const { documents } = (await site.cli.json(['render', name, '--guest'])) as {
      documents: readonly { name: string; text: string }[]
    }
    return documents.find((one) => one.name === 'nftables.nft')?.text ?? ''
  }

  before(async () => {
    const app = tinyApp('strict')
    const strict = { ...app, manifest: app.manifest?.replace('wan: uni', 'wan: gal') ?? '' }
    const packages = [
      tinyRouter('router-tiny'),
      tinyRouter('router-two'),
      tinyLower('router-low'),
      tinyApp('app'),
      strict,
    ]
    site = await makeSite('move', packages)
    const file = join(site.cli.folder, 'home.ovpn')
    await writeFile(file, PROFILE)
    const install = ['install', '-y', '--grant', 'network', '--no-start']
    await site.cli.ok([...install, 'router-tiny', 'app', 'strict'])
    await site.cli.ok([
      ...install,
      'router-low',
      '--set',
      `vpn=${file}`,
      '--set',
      'router-low:uplink=router:router-tiny',
    ])
    await site.cli.ok([...install, 'router-two'])
    await site.cli.ok(['clone', 'app', '--name', 'web', '--net', 'uni0', '--no-start'])
    await site.cli.ok(['clone', 'strict', '--name', 'careful', '--no-start'])
  })
  after(() => site.close())

  test('of a stopped machine the definition changes, and what is recorded of it', async () => {
    assert.equal((await site.cli.json(['net', 'move', 'web', 'uni1', '--dry-run']))['changed'], true)
    assert.match(await cardOf('web'), /^uni0 /)
    await site.cli.ok(['net', 'move', 'web', 'router-two'])
    assert.match(await cardOf('web'), /^uni1 - up$/)
    assert.match(await site.virsh('dumpxml', 'web'), / net="uni1"/)
    assert.match(await site.cli.ok(['net', 'list']), /^uni1\t.*\tweb \(shutoff\)/m)
  })

  test('a running machine is moved with its link down, and has it again when it is there', async () => {
    for (const net of ['uni0', 'uni1']) await site.virsh('net-start', net).catch(() => '')
    await site.virsh('start', 'web')
    const moving = site.cli.start(['net', 'move', 'web', 'gal0'], '')
    const seen = new Set<string>()
    const ended = moving.done.then(() => 'ended')
    while ((await Promise.race([ended, cardOf('web')])) !== 'ended') seen.add(await cardOf('web'))
    const { status, stderr } = await moving.done
    assert.equal(status, 0, stderr)
    seen.add(await cardOf('web'))
    const allowed = ['uni1 vmp-uni1 up', 'uni1 vmp-uni1 down', 'gal0 vmp-gal0 down', 'gal0 vmp-gal0 up']
    assert.deepEqual(
      [...seen].filter((one) => !allowed.includes(one)),
      [],
    )
    assert.equal(await cardOf('web'), 'gal0 vmp-gal0 up')
    assert.match(await site.virsh('dumpxml', 'web', '--inactive'), /<source network='gal0'\/>/)
  })

  test('killed at any moment it leaves the link down or the old place, and the next command tidies up', async () => {
    for (const delay of [0, 80]) {
      const former = await cardOf('web')
      const to = former.startsWith('gal0') ? 'uni1' : 'gal0'
      const moving = site.cli.start(['net', 'move', 'web', to], '')
      for (;;) {
        const { pending } = await site.observe()
        if (pending.length > 0 || (await cardOf('web')) !== former) break
      }
      await new Promise((resolve) => setTimeout(resolve, delay))
      moving.kill('SIGKILL')
      await moving.done
      const now = await cardOf('web')
      const { pending } = await site.observe()
      if (pending.length > 0) {
        assert.ok(now === former || now.endsWith(' down'), `${former} became ${now}`)
        await site.cli.ok(['gc'])
        assert.equal(await cardOf('web'), former)
        assert.match(await site.virsh('dumpxml', 'web', '--inactive'), new RegExp(` net="${former.split(' ')[0]}"`))
      } else {
        // It was done but for the link, or altogether: asking again raises that.
        await site.cli.ok(['net', 'move', 'web', to])
        assert.equal(await cardOf('web'), `${to} vmp-${to} up`)
      }
    }
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('a machine does not go nearer to the outside than its package asks for, unless it is forced', async () => {
    assert.match(await refused('careful', 'uni0'), /careful is for layer gal/)
    assert.match(
      (await site.cli.run(['clone', 'strict', '--net', 'uni0', '--no-start'])).stderr,
      /strict is for layer gal and what is behind it, and uni0 is of layer uni/,
    )
    await site.cli.ok(['net', 'move', '--force', 'careful', 'uni0'])
    await site.cli.ok(['net', 'move', 'careful', 'gal0'])
  })

  test('nor to nowhere, nor with forwarded ports', async () => {
    assert.match(await refused('web', 'vmpkg-uplink'), /There is no router’s LAN/)
    await site.cli.ok(['stop', '--force', 'web'])
    await site.cli.ok(['net', 'move', 'web', 'uni1'])
    await site.cli.ok(['port-forward', 'add', 'web', 'tcp/22'])
    assert.match(await refused('web', 'gal0'), /Ports of the router of uni1 lead to web/)
    await site.cli.ok(['port-forward', 'remove', 'web'])
  })

  test('a stopped router moves with its place, and both routers above follow', async () => {
    assert.match(await rules('router-tiny'), /203\.0\.113\.7/)
    await site.cli.ok(['net', 'move', 'router-low', 'router-two'])
    const xml = await site.virsh('dumpxml', 'router-low', '--inactive')
    assert.match(xml, / net="uni1".* wanAddress="10\.1\.2\.2"/s)
    assert.match(xml, /<source network='uni1'\/>/)
    assert.doesNotMatch(await rules('router-tiny'), /203\.0\.113\.7/)
    assert.match(await rules('router-two'), /ip saddr 10\.1\.2\.2 ip daddr 203\.0\.113\.7 udp dport 1194 accept/)
    assert.match(await refused('router-low', 'gal0'), /cannot stand behind itself/)
    const { entries } = (await site.cli.json(['history'])) as { entries: readonly { id: number }[] }
    await site.cli.ok(['history', 'undo', '-y', '--no-start', String(entries[0]?.id)])
    assert.match(await rules('router-tiny'), /203\.0\.113\.7/)
    assert.doesNotMatch(await rules('router-two'), /203\.0\.113\.7/)
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('one that runs does not move', async () => {
    await site.virsh('start', 'router-low')
    assert.match(await refused('router-low', 'router-two'), /\[DOMAIN_STATE\]/)
  })
})
