/** What a router lets its VPN clients reach, as machines come, move and go: by what it has to attest. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const HOME = { manifest: '  home: { type: file, format: vpn-server, optional: true }' }

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
})
