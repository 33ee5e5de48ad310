/** net list and net graph as processes, on a real daemon whose test driver has networks and machines without running any. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { findElements, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { makeCli } from '../support/cli.ts'
import { type LibvirtHouse, startHouse } from '../support/libvirt-house.ts'
import { withoutLibvirt } from '../support/private-libvirt.ts'

describe('net', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  let house: LibvirtHouse
  before(async () => {
    house = await startHouse()
  })
  after(() => house?.stop())

  test('graph draws the tree that libvirt knows, with the link that is down and who should not be there', async () => {
    assert.equal(
      await house.cli.ok(['net', 'graph']),
      [
        'vmpkg-uplink  192.168.130.0/24, vmp-uplink, uplink',
        '└─ router-uni  uni, running',
        '   └─ uni0  10.1.1.0/24, vmp-uni0',
        '      ├─ router-gal  gal, running, at 10.1.1.2, to udp 203.0.113.7 port 1194',
        '      │  └─ gal0  10.2.2.0/24, vmp-gal0  ! link down',
        '      │     └─ app  shutoff',
        '      └─ <snoop> "1"  running  ! not made by vmpkg',
        '',
      ].join('\n'),
    )
  })

  test('graph in the other formats and as JSON has the same nodes', async () => {
    const { nodes, edges } = (await house.cli.json(['net', 'graph'])) as Record<'nodes' | 'edges', readonly unknown[]>
    const mermaid = await house.cli.ok(['net', 'graph', '--format', 'mermaid'])
    const svg = await house.cli.ok(['net', 'graph', '--format', 'svg'])
    const titles = findElements(parseXml(svg).root, "g/g/text[@class='title']").map(getText)
    assert.deepEqual([nodes.length, edges.length], [7, 6])
    assert.equal(titles.length, 7)
    assert.ok(titles.includes('<snoop> "1"'))
    assert.equal(mermaid.match(/^ {2}n\d+[[(]/gm)?.length, 7)
    assert.match(mermaid, /"#60;snoop#62; #34;1#34;<br\/>/)
  })

  test('list says of each network whose it is, who is above and below, and who is on it', async () => {
    assert.deepEqual((await house.cli.ok(['net', 'list'])).replaceAll('\t', ' | ').split('\n'), [
      'vmpkg-uplink | uplink | 192.168.130.0/24 | vmp-uplink | - | - | - | router-uni | - | ',
      'gal0 | gal | 10.2.2.0/24 | vmp-gal0 | router-gal | running, no link | router-uni | - | app (shutoff) | ',
      'uni0 | uni | 10.1.1.0/24 | vmp-uni0 | router-uni | running | - | router-gal | <snoop> "1" (foreign, running) | ',
      '',
    ])
    const { networks } = (await house.cli.json(['net', 'list'])) as { networks: readonly Record<string, unknown>[] }
    assert.deepEqual(
      networks.map(({ network, uppers }) => [network, uppers]),
      [
        ['vmpkg-uplink', []],
        ['gal0', ['router-uni']],
        ['uni0', []],
      ],
    )
  })

  test('a format that is none is a usage error', async () => {
    const { status, stderr } = await house.cli.run(['net', 'graph', '--format', 'png'])
    assert.equal(status, 2)
    assert.match(stderr, /There is no format "png"/)
  })

  test('a running machine is where it runs, and from its next start where its definition puts it', async () => {
    const domain = await house.connect.domainLookupByName({ name: 'elsewhere' })
    const xml = await domain.getXMLDesc({ flags: ['inactive'] })
    await house.connect.domainDefineXML({ xml: xml.replace("network='default'", "network='uni0'") })
    const text = await house.cli.ok(['net', 'graph'])
    assert.match(text, /^default .*not made by vmpkg\n└─ elsewhere {2}running {2}! not made by vmpkg$/m)
    assert.match(text, /^ {6}└─ elsewhere {2}see above {2}! from the next start$/m)
  })

  test('a router that is gone leaves its LAN and who stood behind it, marked', async () => {
    const domain = await house.connect.domainLookupByName({ name: 'router-uni' })
    await domain.destroy()
    await domain.undefine()
    const text = await house.cli.ok(['net', 'graph'])
    assert.match(text, /^uni0 .* ! its router is gone$/m)
    assert.match(text, /^├─ router-gal .* ! the router above is gone$/m)
    assert.match(
      await house.cli.ok(['net', 'list']),
      /^uni0\t.*\tits router is gone; router-gal: the router above is gone$/m,
    )
  })
})

test('where a private host does not run, there is nothing to draw, and that is said', async () => {
  const cli = await makeCli('private:nobody')
  try {
    const { status, stdout, stderr } = await cli.run(['net', 'graph'])
    assert.deepEqual([status, stdout], [0, ''])
    assert.match(stderr, /There are no networks and no routers yet/)
    assert.deepEqual((await cli.json(['net', 'list']))['networks'], [])
  } finally {
    await cli.close()
  }
})
