/** What a router lets its VPN clients reach, as machines come, move and go: by what it has to attest. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const HOME = {
  manifest:
    '  home: { type: file, format: vpn-server, optional: true }\n  openvpn: { type: file, format: openvpn-server, optional: true }',
}

function withHome(name: string): ReturnType<typeof tinyRouter> {
  const router = tinyRouter(name)
  return { ...router, manifest: (router.manifest ?? '').replace('templates:', `${HOME.manifest}\ntemplates:`) }
}

describe('machines that VPN clients reach', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const digest = async (name: string): Promise<string> =>
    / rules="([0-9a-f]{64})"/.exec(await site.virsh('dumpxml', name, '--inactive'))?.[1] ?? ''
  const invite = async (client: string, machine: string): Promise<void> => {
    const out = join(site.cli.folder, `${client}.conf`)
    await site.cli.ok(['vpn-server', 'add-client', client, '--router', 'router-tiny', '--to', machine, '--out', out])
  }

  before(async () => {
    site = await makeSite('home', [withHome('router-tiny'), tinyRouter('router-two'), tinyApp('app')])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'router-two', 'app'])
    for (const name of ['web', 'files']) {
      await site.cli.ok(['clone', 'app', '--name', name, '--net', 'uni0', '--no-start'])
    }
    const init = ['vpn-server', 'init', 'router-tiny', '--endpoint', 'home.example.org', '--port', '51999']
    await site.cli.ok(init)
  })
  after(() => site.close())

  test('one that moves to another LAN is let go by the router it leaves', async () => {
    await invite('phone', 'web')
    const reached = await digest('router-tiny')
    await site.cli.ok(['net', 'move', 'web', 'uni1'])
    const left = await digest('router-tiny')
    assert.notEqual(left, reached)
    await site.cli.ok(['net', 'move', 'web', 'uni0'])
    assert.equal(await digest('router-tiny'), reached, 'who comes back is who was invited')
  })

  test('one that is removed is let go at once', async () => {
    const former = await digest('router-tiny')
    await invite('tablet', 'files')
    const both = await digest('router-tiny')
    await site.cli.ok(['rm', '-y', 'web'])
    const one = await digest('router-tiny')
    assert.equal(new Set([former, both, one]).size, 3)
    await site.cli.ok(['rm', '-y', 'files'])
    assert.notEqual(await digest('router-tiny'), one)
    assert.deepEqual((await site.observe()).pending, [])
  })

  test('the port at which they come in is forwarded to nobody', async () => {
    await site.cli.ok(['clone', 'app', '--name', 'game', '--net', 'uni0', '--no-start'])
    const { status, stderr } = await site.cli.run(['port-forward', 'add', 'game', 'udp/51999'])
    assert.equal(status, 100)
    assert.match(stderr, /51999/)
    assert.match(stderr, /VPN/)
    await site.cli.ok(['port-forward', 'add', 'game', 'tcp/51999'])
  })

  describe('by OpenVPN', () => {
    const openvpn = ['--protocol', 'openvpn']
    const file = (name: string): string => join(site.cli.folder, `${name}.ovpn`)
    const refused = async (...words: readonly string[]): Promise<string> => {
      const { status, stderr } = await site.cli.run(['vpn-server', ...words])
      assert.notEqual(status, 0)
      return stderr
    }

    before(async () => {
      for (const name of ['shop', 'diary']) {
        await site.cli.ok(['clone', 'app', '--name', name, '--net', 'uni0', '--no-start'])
      }
    })

    test('a router takes people in beside WireGuard, at a port and with addresses that are free', async () => {
      assert.match(
        await refused('add-client', 'anna', ...openvpn, '--router', 'router-tiny', '--to', 'shop'),
        /no OpenVPN server yet/,
      )
      const init = ['init', 'router-tiny', ...openvpn, '--endpoint', 'home.example.org']
      assert.match(await refused(...init, '--port', 'udp/51999'), /udp 51999 of router-tiny is for WireGuard/)
      assert.match(await refused(...init, '--port', 'tcp/51999'), /tcp 51999 of router-tiny leads to game/)
      assert.match(await refused(...init, '--subnet', '10.8.0.0/16'), /overlaps the other VPN server/)
      assert.match(
        await refused('init', 'router-two', ...openvpn, '--endpoint', 'x.example'),
        /has no OpenVPN[^]*upgrade/,
      )
      assert.match(await refused('init', 'router-tiny', '--port', 'tcp/443'), /WireGuard is spoken over UDP/)
      const said = await site.cli.ok(['vpn-server', ...init])
      assert.match(said, /by OpenVPN at tcp 443, found at home\.example\.org:443/)
      const { changed } = await site.cli.json(['vpn-server', ...init])
      assert.equal(changed, false)
      assert.match((await site.cli.run(['port-forward', 'add', 'game', 'tcp/443'])).stderr, /443[^]*VPN/)
    })

    test('a client has one file, a name that no other has, and machines as with WireGuard', async () => {
      const bare = await digest('router-tiny')
      const add = ['add-client', 'anna', ...openvpn, '--router', 'router-tiny', '--to', 'shop']
      await site.cli.ok(['vpn-server', ...add, '--out', file('anna')])
      const text = await readFile(file('anna'), 'utf8')
      assert.match(text, /^remote home\.example\.org 443$/m)
      assert.match(await refused(...add), /There is a VPN client anna already/)
      assert.match(
        await refused('add-client', 'phone', ...openvpn, '--router', 'router-tiny', '--to', 'shop'),
        /already/,
      )
      const both = await digest('router-tiny')
      assert.notEqual(both, bare)
      await site.cli.ok(['net', 'move', 'shop', 'uni1'])
      assert.notEqual(await digest('router-tiny'), both)
      await site.cli.ok(['net', 'move', 'shop', 'uni0'])
      assert.equal(await digest('router-tiny'), both)
      assert.match(
        await site.cli.ok(['vpn-server', 'set-client', 'anna', '--router', 'router-tiny', '--to', 'diary']),
        /^anna reaches diary \(10\.1\.1\.\d+\)$/m,
      )
      await site.cli.ok(['rm', '-y', 'diary'])
      const { servers } = (await site.cli.json(['vpn-server', 'list'])) as {
        servers: readonly { protocol: string; clients: readonly { name: string; machines: readonly unknown[] }[] }[]
      }
      const rows = servers.find(({ protocol }) => protocol === 'openvpn')?.clients
      assert.deepEqual(
        rows?.map(({ name, machines }) => [name, machines]),
        [['anna', []]],
      )
    })

    test('no key is told by the machine’s definition, the history, or the lists', async () => {
      const text = await readFile(file('anna'), 'utf8')
      // The first line is that of all keys of this kind.
      const [, own = ''] = /<key>\n.*\n.*\n(.{24})/.exec(text) ?? []
      const [, shared = ''] = /<tls-crypt>\n.*\n(.{32})/.exec(text) ?? []
      assert.deepEqual([own.length, shared.length], [24, 32])
      const told = [
        await site.virsh('dumpxml', 'router-tiny', '--inactive'),
        await site.cli.ok(['history', '--json']),
        await site.cli.ok(['vpn-server', 'list', '--json']),
        await site.cli.ok(['show', 'router-tiny', '--json']),
        await site.cli.ok(['render', 'router-tiny']),
      ].join('\n')
      assert.ok(!told.includes(own) && !told.includes(shared) && !told.includes('openvpn-server;base64'))
      // The client's own key is nowhere but in its file.
      assert.equal(execFileSync('grep', ['-rlF', own, site.cli.folder], { encoding: 'utf8' }), `${file('anna')}\n`)
    })

    test('one that is removed is gone, and so is a server, each by itself', async () => {
      const invited = await digest('router-tiny')
      await site.cli.ok(['vpn-server', 'remove-client', 'anna', '--router', 'router-tiny'])
      assert.match(await refused('remove-client', 'anna', '--router', 'router-tiny'), /There is no VPN client "anna"/)
      await site.cli.ok(['vpn-server', 'remove', 'router-tiny', ...openvpn])
      assert.notEqual(await digest('router-tiny'), invited)
      const { servers } = (await site.cli.json(['vpn-server', 'list'])) as { servers: readonly { protocol: string }[] }
      assert.deepEqual(
        servers.map(({ protocol }) => protocol),
        ['wireguard'],
      )
      const { changed } = await site.cli.json(['vpn-server', 'remove', 'router-tiny', ...openvpn])
      assert.equal(changed, false)
      assert.deepEqual((await site.observe()).pending, [])
    })
  })
})
