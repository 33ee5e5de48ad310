/**
 * The supervisor on a private host whose routers start as far as the firmware and never attest: what it closes, what it
 * never opens, how it begins and ends. With guests that attest: test/e2e/chain.test.ts.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { findLockHolder } from '../../src/state/lock.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const WATCHED = { env: { VMPKG_SUPERVISOR: 'on' } }

describe('vmpkg supervise', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const lanMac = async (): Promise<string> =>
    / lanMac="([^"]+)"/.exec(await site.virsh('dumpxml', 'router-tiny', '--inactive'))?.[1] ?? ''
  const lanLink = async (): Promise<string | undefined> => {
    const xml = await site.virsh('dumpxml', 'router-tiny')
    const card = xml.split('<interface').find((part) => part.includes(`'${mac}'`)) ?? ''
    return /<link state='(\w+)'/.exec(card)?.[1]
  }
  let mac = ''

  before(async () => {
    site = await makeSite('supervise', [tinyRouter('router-tiny'), tinyApp('app-tiny')])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-tiny'])
    await site.cli.ok(['clone', 'app-tiny', '--name', 'client', '--no-start'])
    mac = await lanMac()
  })
  after(() => site.close())

  /** Starts one and waits until it has looked. */
  const start = async (...more: readonly string[]): Promise<ReturnType<Site['cli']['start']> & { lines: string[] }> => {
    const running = site.cli.start(['supervise', '--interval', '1s', ...more], '')
    const lines: string[] = []
    running.onLine((line) => lines.push(line))
    await until(async () => supervisor() !== undefined)
    return { ...running, lines }
  }
  /** Process number of the one that lives: what `status` says, without a process for each look. */
  const supervisor = (): number | undefined =>
    findLockHolder(join(site.cli.folder, 'root/var/lib/vmpkg/connections/private-supervise/supervisor.lock'))?.pid

  test('a LAN that somebody opened by hand is closed again, since nothing attests it', async () => {
    await site.virsh('start', 'router-tiny')
    assert.equal(await lanLink(), 'down')
    await site.virsh('domif-setlink', 'router-tiny', mac, 'up')
    const { status, stdout, stderr } = await site.cli.run(['supervise', '--once', '--interval', '1s', '--json'])
    assert.equal(status, 1, stderr)
    const { routers } = JSON.parse(stdout) as { routers: unknown[] }
    const reason = 'its agent has not opened its channel'
    assert.deepEqual(routers, [{ name: 'router-tiny', link: 'down', verdict: 'deaf', reason }])
    assert.match(stderr, /"type":"link-changed","subject":"router-tiny","link":"down"/)
    assert.equal(await lanLink(), 'down')
    const { machines } = (await site.cli.json(['status', 'router-tiny', '--timeout', '1'])) as { machines: unknown[] }
    assert.partialDeepStrictEqual(machines[0], { lanLink: 'down', closed: reason, autostart: false })
  })

  test('one that is started with an open LAN is closed at once, as libvirt tells of it', async () => {
    const running = await start()
    await site.virsh('destroy', 'router-tiny')
    const own = await site.virsh('dumpxml', 'router-tiny', '--inactive')
    const define = async (xml: string): Promise<void> => {
      await writeFile(join(site.cli.folder, 'own.xml'), xml)
      await site.virsh('define', join(site.cli.folder, 'own.xml'))
    }
    await define(own.replaceAll("<link state='down'/>", "<link state='up'/>"))
    await site.virsh('start', 'router-tiny')
    await until(async () => (await lanLink()) === 'down')
    await define(own)
    running.kill('SIGTERM')
    const { status, stderr } = await running.done
    assert.equal(status, 0, stderr)
    assert.match(stderr, /W: The LAN of router-tiny is closed: its agent has not opened its channel/)
    assert.equal(supervisor(), undefined)
  })

  test('one of a connection refuses a second, which says who it is', async () => {
    const running = await start()
    const { status, stderr } = await site.cli.run(['supervise'])
    assert.equal(status, 100)
    assert.match(
      stderr,
      /Process \d+ \(vmpkg supervise --interval 1s\) supervises private:supervise already \[LOCK_HELD\]/,
    )
    running.kill('SIGKILL')
    await running.done
    assert.equal((await site.cli.run(['supervise', '--once', '--interval', '1s'])).status, 1)
  })

  test('it undoes what a killed command left', async () => {
    const clone = site.cli.start(['clone', 'app-tiny', '--name', 'half', '--json'], '')
    clone.onLine((line) => /"stage":"define"/.test(line) && clone.kill('SIGKILL'))
    assert.equal((await clone.done).status, 128)
    assert.equal((await site.observe()).pending.length, 1)
    await site.cli.run(['supervise', '--once', '--interval', '1s'])
    assert.deepEqual((await site.observe()).pending, [])
    assert.doesNotMatch(await site.virsh('list', '--all', '--name'), /half/)
  })

  test('it clears away an ephemeral machine that has switched itself off', async () => {
    const clean = await site.observe()
    const running = await start()
    await site.cli.ok(['clone', 'app-tiny', '--name', 'brief', '--ephemeral', '--mode', 'encrypted'])
    assert.notDeepEqual((await site.observe()).machineFiles, clean.machineFiles)
    await site.virsh('destroy', 'brief')
    await until(async () => (await site.observe()).machineFiles.length === clean.machineFiles.length)
    await until(async () => !/[0-9a-f]{8}-/.test(await site.virsh('secret-list')))
    running.kill('SIGTERM')
    assert.equal((await running.done).status, 0)
    assert.deepEqual(await site.observe(), clean)
  })

  test('it goes on when the daemon was killed', async () => {
    const running = await start()
    const pid = 'kill -9 "$(cat /run/libvirtd.pid)"'
    await site.cli.ok(['host', 'private', 'shell', 'supervise', '--', 'sh', '-c', pid])
    await until(async () => running.lines.some((line) => /Connected to libvirt again/.test(line)))
    await site.virsh('domif-setlink', 'router-tiny', mac, 'up')
    await until(async () => (await lanLink()) === 'down')
    running.kill('SIGTERM')
    assert.equal((await running.done).status, 0)
  })

  test('it keeps the host off a bridge that libvirt made anew', async () => {
    const running = await start()
    const nft = async (...words: readonly string[]): Promise<string> =>
      site.cli.ok(['host', 'private', 'shell', 'supervise', '--', 'nft', ...words])
    await nft('delete', 'table', 'netdev', 'vmpkg')
    await site.virsh('net-destroy', 'uni0')
    await site.virsh('net-start', 'uni0')
    await until(async () => running.lines.some((line) => /Set the rules again/.test(line)))
    assert.match(await nft('list', 'table', 'netdev', 'vmpkg'), /device "vmp-uni0"/)
    running.kill('SIGTERM')
    assert.equal((await running.done).status, 0)
  })

  test('set autostart marks a client with its network, and a router with its own, as virsh shows', async () => {
    const planned = await site.cli.ok(['set', 'autostart', 'client', 'on', '--dry-run'])
    assert.match(planned, /Would set autostart of network uni0 on\nWould set autostart of client on/)
    assert.equal((await site.virsh('list', '--all', '--autostart', '--name')).trim(), '')
    await site.cli.ok(['set', 'autostart', 'client', 'on'])
    await site.cli.ok(['set', 'autostart', 'router-tiny', 'on'])
    assert.match(await site.cli.ok(['set', 'autostart', 'router-tiny', 'on']), /is on already/)
    const marked = async (): Promise<readonly string[]> =>
      [
        ...(await site.virsh('list', '--all', '--autostart', '--name')).split('\n'),
        ...(await site.virsh('net-list', '--all', '--autostart', '--name')).split('\n'),
      ]
        .filter((name) => name !== '')
        .toSorted()
    assert.deepEqual(await marked(), ['client', 'router-tiny', 'uni0', 'vmpkg-uplink'])
    await site.cli.ok(['set', 'autostart', 'client', 'off'])
    assert.deepEqual(await marked(), ['router-tiny', 'uni0', 'vmpkg-uplink'])
    const { status, stderr } = await site.cli.run(['set', 'autostart', 'router-tiny', 'maybe'])
    assert.deepEqual([status, /USAGE/.test(stderr)], [2, true])
  })

  test('a private host brings its supervisor, which is there again when it was killed and ends with the host', async () => {
    await site.cli.ok(['host', 'private', 'stop', 'supervise'])
    const { status, stderr } = await site.cli.run(['host', 'private', 'start', 'supervise'], '', WATCHED)
    assert.equal(status, 0, stderr)
    await until(async () => supervisor() !== undefined)
    const first = Number(supervisor())
    assert.equal((await site.cli.json(['status', '--timeout', '1']))['supervisor'], first)
    // libvirt has started what was marked, each router with its LAN closed.
    await until(async () => /router-tiny/.test(await site.virsh('list', '--name')))
    assert.equal(await lanLink(), 'down')
    process.kill(first, 'SIGKILL')
    await until(async () => ![undefined, first].includes(supervisor()))
    const second = Number(supervisor())
    assert.match(readFileSync(`/proc/${second}/cmdline`, 'utf8'), /supervise/)
    await site.cli.ok(['host', 'private', 'stop', 'supervise'])
    await until(async () => !existsSync(`/proc/${second}`))
  })

  test('what libvirt did not start with the host is started once, and not again after it was stopped', async () => {
    await site.cli.ok(['host', 'private', 'start', 'supervise'])
    await site.virsh('destroy', 'router-tiny')
    await site.cli.run(['supervise', '--once', '--interval', '1s'])
    assert.match(await site.virsh('list', '--name'), /router-tiny/)
    await site.virsh('destroy', 'router-tiny')
    await site.cli.run(['supervise', '--once', '--interval', '1s'])
    assert.doesNotMatch(await site.virsh('list', '--name'), /router-tiny/)
  })
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return
    await wait(100)
  }
  assert.fail('waited in vain')
}
