/** Panic on real libvirt and QEMU: routers that run, as far as the firmware, and links that virsh looks at. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyLower, tinyRouter } from '../support/tiny-packages.ts'
import { vpnKeys } from '../support/vpn-profiles.ts'

const { ca, cert, key } = vpnKeys()
const PROFILE = `client\nremote 203.0.113.7 1194 udp\n<ca>\n${ca}\n</ca>\n<cert>\n${cert}\n</cert>\n<key>\n${key}\n</key>\n`

interface Row {
  readonly name: string
  readonly since?: string
  readonly cut: readonly { readonly mac: string; readonly milliseconds: number }[]
}

describe('panic of routers', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const panic = async (...args: readonly string[]): Promise<readonly Row[]> =>
    (await site.cli.json(['router', 'panic', ...args]))['routers'] as readonly Row[]
  const linksOf = async (name: string): Promise<readonly string[]> => {
    const xml = await site.virsh('dumpxml', name)
    return xml
      .split('<interface')
      .slice(1)
      .map((card) => (/<link state='down'\/>/.test(card) ? 'down' : 'up'))
  }
  const macsOf = async (name: string): Promise<Readonly<Record<'wan' | 'lan', string>>> => {
    const [wan = '', lan = ''] = [...(await site.virsh('dumpxml', name)).matchAll(/<mac address='([^']+)'/g)].map(
      ([, mac = '']) => mac,
    )
    return { wan, lan }
  }
  /** As `vmpkg start` does it once a guest has attested; there is no guest here. */
  const open = async (name: string): Promise<void> => {
    const { wan, lan } = await macsOf(name)
    for (const mac of [wan, lan]) await site.virsh('domif-setlink', name, mac, 'up')
  }

  before(async () => {
    site = await makeSite('panic', [tinyRouter('router-tiny'), tinyLower('router-low')])
    const file = join(site.cli.folder, 'home.ovpn')
    await writeFile(file, PROFILE)
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-low', '--set', `vpn=${file}`])
    await site.virsh('net-start', 'gal0').catch(() => '')
    for (const name of ['router-tiny', 'router-low']) await site.virsh('start', name)
  })
  after(() => site.close())

  test('a dry run names who it is about and cuts nothing', async () => {
    for (const name of ['router-tiny', 'router-low']) await open(name)
    assert.deepEqual(
      (await panic('--dry-run')).map(({ name }) => name),
      ['router-low', 'router-tiny'],
    )
    assert.deepEqual(await linksOf('router-tiny'), ['up', 'up'])
  })

  test('every link is cut, the lowest router first and its LAN before its WAN, each within 50 ms', async () => {
    const rows = await panic()
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['router-low', 'router-tiny'],
    )
    for (const { name, cut } of rows) {
      const { wan, lan } = await macsOf(name)
      assert.deepEqual(
        cut.map(({ mac }) => mac),
        [lan, wan],
      )
      assert.deepEqual(await linksOf(name), ['down', 'down'])
      for (const { milliseconds } of cut) assert.ok(milliseconds <= 50, `${name}: ${milliseconds} ms`)
    }
  })

  test('it is shown, and a second panic keeps the time of the first', async () => {
    const [first] = await panic()
    const { machines } = (await site.cli.json(['status', '--timeout', '1'])) as {
      machines: readonly { name: string; panic?: string }[]
    }
    for (const { panic: since } of machines) assert.equal(since, first?.since)
    assert.match(await site.cli.ok(['net', 'graph']), /router-tiny {2}uni, running {2}! link down, in panic$/m)
    assert.match(await site.cli.ok(['net', 'list']), /router-low: in panic/)
  })

  test('neither start nor a restart raises it, nor a start of a router behind it', async () => {
    for (const name of ['router-tiny', 'router-low']) {
      const { status, stderr } = await site.cli.run(['start', name])
      assert.equal(status, 100)
      assert.match(stderr, /in panic since .*\[DOMAIN_STATE\][^]*router panic --lift/)
    }
    await site.cli.ok(['stop', '--force', 'router-low'])
    await site.cli.ok(['router', 'panic', '--lift', 'router-low'])
    assert.match((await site.cli.run(['start', 'router-low'])).stderr, /router-tiny is in panic/)
    assert.match(await site.virsh('domstate', 'router-low'), /shut off/)
    await panic('router-low')
  })

  test('a new definition keeps the mark, and so does an older one that history brings back', async () => {
    await site.cli.ok(['install', '-y', '--reinstall', '--no-start', 'router-low', '--set', 'memory=48MiB'])
    assert.match((await site.cli.run(['start', 'router-low'])).stderr, /is in panic/)
    const { entries } = (await site.cli.json(['history'])) as { entries: readonly { id: number }[] }
    await site.cli.ok(['history', 'undo', '-y', '--no-start', String(entries[0]?.id)])
    assert.match(await site.virsh('dumpxml', 'router-low'), /urn:vmpkg:panic:1/)
  })

  test('a running router that does not attest is not let back', async () => {
    const { status, stderr } = await site.cli.run(['router', 'panic', '--lift', 'router-tiny'])
    assert.equal(status, 100)
    assert.match(stderr, /\[GUEST_NOT_READY\]/)
    assert.deepEqual(await linksOf('router-tiny'), ['down', 'down'])
    assert.match(await site.virsh('dumpxml', 'router-tiny'), /urn:vmpkg:panic:1/)
  })

  test('lifting it of a stopped router lets it be started again, with its LAN closed as ever', async () => {
    await site.cli.ok(['stop', '--force', 'router-tiny'])
    await site.cli.ok(['router', 'panic', '--lift'])
    const { stderr } = await site.cli.run(['start', 'router-tiny'])
    assert.match(stderr, /\[GUEST_NOT_READY\]/)
    assert.deepEqual(await linksOf('router-tiny'), ['up', 'down'])
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('it does not wait for a vmpkg that holds the lock', async () => {
    await open('router-tiny')
    const slow = site.cli.start(['start', 'router-tiny', '--timeout', '60'], '')
    await new Promise<void>((resolve) => slow.onLine(() => resolve()))
    const began = performance.now()
    const cutting = site.cli.start(['router', 'panic'], '')
    while ((await linksOf('router-tiny')).includes('up')) assert.ok(performance.now() - began < 10_000)
    slow.kill('SIGKILL')
    await slow.done
    assert.equal((await cutting.done).status, 0)
    assert.deepEqual(await linksOf('router-tiny'), ['down', 'down'])
  })

  test('what is no router is refused', async () => {
    const { status, stderr } = await site.cli.run(['router', 'panic', 'nobody'])
    assert.equal(status, 100)
    assert.match(stderr, /\[DOMAIN_UNKNOWN\]/)
  })
})
