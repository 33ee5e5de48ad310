/** router export as a process, on a real daemon's test driver; what it writes is given to Debian's Shorewall. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { renderShorewall } from '../../src/router/shorewall.ts'
import { type LibvirtHouse, startHouse } from '../support/libvirt-house.ts'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { checkShorewall } from '../support/shorewall-check.ts'

const NAMES = ['hosts', 'interfaces', 'policy', 'rules', 'shorewall.conf', 'snat', 'zones']
const endpoints = [{ protocol: 'udp', address: '203.0.113.7', port: 1194 }] as const
const isRoot = process.getuid?.() === 0

async function readFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(folder)).toSorted()
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  )
}

describe('router export', { skip: withoutLibvirt, timeout: 180_000 }, () => {
  let house: LibvirtHouse
  const refusal = async (...words: readonly string[]): Promise<readonly [number, string]> => {
    const { status, stderr } = await house.cli.run(['router', 'export', ...words])
    return [status, stderr.split('\n')[0] ?? '']
  }
  before(async () => {
    house = await startHouse()
  })
  after(() => house?.stop())

  test('writes the policy of the upper router with what the lower one declares, readable to all', async () => {
    const folder = join(house.cli.folder, 'made', 'uni')
    await house.cli.ok(['router', 'export', 'router-uni', '--shorewall', folder, '--house', '192.168.1.7/24'])
    const files = await readFiles(folder)
    assert.deepEqual([...files.keys()], NAMES)
    const expected = renderShorewall({
      wan: { device: 'wan' },
      lan: { device: 'lan', cidr: '10.1.1.0/24', address: '10.1.1.1' },
      house: '192.168.1.0/24',
      lowers: [{ address: '10.1.1.2', endpoints }],
    })
    assert.deepEqual(Object.fromEntries(files), Object.fromEntries(expected))
    for (const name of NAMES) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o644)
  })

  test('writes the policy of the lower one with its tunnel and the devices that are named', async (t) => {
    const folder = join(house.cli.folder, 'gal')
    const devices = ['--wan', 'eth0', '--lan', 'eth1', '--tunnel', 'tun0']
    const { files } = await house.cli.json(['router', 'export', 'router-gal', '--shorewall', folder, ...devices])
    const written = await readFiles(folder)
    assert.deepEqual(
      written,
      new Map((files as { name: string; text: string }[]).map(({ name, text }) => [name, text] as const)),
    )
    assert.match(written.get('rules') ?? '', /^ACCEPT\tfw\twan:203\.0\.113\.7\tudp\t1194$/m)
    assert.match(written.get('snat') ?? '', /^MASQUERADE\t10\.2\.2\.0\/24\ttun0$/m)
    if (!isRoot) return t.diagnostic('shorewall asks the kernel what it can do, which only root may')
    const { status, output } = await checkShorewall(t, written)
    assert.equal(status, 0, output)
  })

  test('a dry run prints the files and makes no folder', async () => {
    const folder = join(house.cli.folder, 'dry')
    const text = await house.cli.ok(['router', 'export', 'router-uni', '--shorewall', folder, '--dry-run'])
    for (const name of NAMES) assert.ok(text.includes(`==> ${name} <==\n`))
    await assert.rejects(stat(folder), { code: 'ENOENT' })
  })

  test('leaves a folder alone that has something in it, and with --force only what is not its own', async () => {
    const folder = join(house.cli.folder, 'used')
    await mkdir(folder)
    await writeFile(join(folder, 'zones'), 'mine\n')
    await writeFile(join(folder, 'params'), 'mine\n')
    const words = ['router-uni', '--shorewall', folder]
    assert.match((await refusal(...words)).join(' '), /^2 E: ".*used" is not an empty folder/)
    assert.deepEqual(
      await readFiles(folder),
      new Map([
        ['params', 'mine\n'],
        ['zones', 'mine\n'],
      ]),
    )
    await house.cli.ok(['router', 'export', ...words, '--force'])
    const files = await readFiles(folder)
    assert.equal(files.get('params'), 'mine\n')
    assert.match(files.get('zones') ?? '', /^uni\tipv4$/m)
    assert.match((await refusal('router-uni', '--shorewall', join(folder, 'params'))).join(' '), /^2 E: /)
  })

  test('refuses what is no router, is unknown or foreign, has no such devices or house, and says which', async () => {
    const to = ['--shorewall', join(house.cli.folder, 'never')]
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['app', ...to], /^2 E: app is not a router/],
      [['nobody', ...to], /^100 E: There is no machine "nobody"/],
      [['elsewhere', ...to], /^100 E: elsewhere was not made by vmpkg/],
      [['router-uni', ...to, '--lan', 'eth0 all'], /^100 E: Not the network devices of a router/],
      [['router-uni', ...to, '--house', '10.1.0.0/16'], /^2 E: --house 10\.1\.0\.0\/16: this is the router’s own LAN/],
      [['router-gal', ...to, '--house', '192.168.1.0/24'], /^2 E: --house 192\.168\.1\.0\/24: a router behind another/],
      [['router-uni', ...to, '--house', 'home'], /^100 E: Not an IPv4 network/],
      [['router-uni'], /^2 E: No format is named/],
    ]
    for (const [words, message] of cases) assert.match((await refusal(...words)).join(' '), message)
    await assert.rejects(stat(join(house.cli.folder, 'never')), { code: 'ENOENT' })
  })

  test('a router whose LAN is gone has no policy', async () => {
    const network = await house.connect.networkLookupByName({ name: 'gal0' })
    await network.destroy()
    await network.undefine()
    const [status, message] = await refusal('router-gal', '--shorewall', join(house.cli.folder, 'gone'))
    assert.deepEqual([status, message.includes('The LAN gal0 of router-gal is gone')], [100, true])
  })
})
