/** net list and net graph as processes, on a real daemon whose test driver has networks and machines without running any. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { formatDomainFacts, formatNetworkFacts } from '../../src/render/facts-xml.ts'
import { findElements, getText } from '../../src/xml/find.ts'
import { escapeXml } from '../../src/xml/lexical.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { behind, client, lan, mac, router, UPLINK } from '../support/topologies.ts'

interface Nic {
  readonly network?: string
  readonly bridge?: string
  readonly mac: string
  readonly link?: string
}

function formatNic({ network, bridge, mac: address, link = 'up' }: Nic): string {
  const source = network === undefined ? `bridge='${bridge}'` : `network='${network}'`
  const type = network === undefined ? 'bridge' : 'network'
  return `<interface type='${type}'><mac address='${address}'/><source ${source}/><link state='${link}'/></interface>`
}

function domainXml(name: string, facts: DomainFacts | undefined, nics: readonly Nic[]): string {
  const metadata = facts === undefined ? '' : `<metadata>${formatDomainFacts(facts)}</metadata>`
  return `<domain type='test'><name>${escapeXml(name)}</name>${metadata}<memory>8192</memory><os><type>hvm</type></os>
    <devices>${nics.map(formatNic).join('')}</devices></domain>`
}

function networkXml({ name, bridge, facts }: ReturnType<typeof lan>): string {
  assert.ok(facts)
  return `<network><name>${name}</name><metadata>${formatNetworkFacts(facts)}</metadata><bridge name='${bridge}'/></network>`
}

describe('net', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  let daemon: PrivateLibvirt
  /** Kept open: the driver forgets everything with its last connection. */
  let connect: Connect
  let cli: Cli
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
    cli = await makeCli(daemon.uri('test:///default'))
    for (const one of [UPLINK, lan('uni0', 'uni', '10.1.1.0/24'), lan('gal0', 'gal', '10.2.2.0/24')]) {
      await (await connect.networkDefineXML({ xml: networkXml(one) })).create()
    }
    const uni = { network: 'uni0', mac: mac(2), link: 'up' }
    const machines: readonly [string, DomainFacts | undefined, readonly Nic[]][] = [
      ['router-uni', router('router-uni', 'uni', 'uni0').facts, [{ network: 'vmpkg-uplink', mac: mac(1) }, uni]],
      [
        'router-gal',
        router('router-gal', 'gal', 'gal0', behind('uni0', '10.1.1.2')).facts,
        [
          { network: 'uni0', mac: mac(3) },
          { network: 'gal0', mac: mac(2), link: 'down' },
        ],
      ],
      ['app', client('app', 'gal0').facts, [{ network: 'gal0', mac: mac(5) }]],
      ['<snoop> "1"', undefined, [{ bridge: 'vmp-uni0', mac: mac(6) }]],
      ['elsewhere', undefined, [{ network: 'default', mac: mac(7) }]],
    ]
    for (const [name, facts, nics] of machines) {
      const domain = await connect.domainDefineXML({ xml: domainXml(name, facts, nics) })
      if (name !== 'app') await domain.create()
    }
  })
  after(async () => {
    await cli?.close()
    await connect?.close()
    await daemon?.stop()
  })

  test('graph draws the tree that libvirt knows, with the link that is down and who should not be there', async () => {
    assert.equal(
      await cli.ok(['net', 'graph']),
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
    const { nodes, edges } = (await cli.json(['net', 'graph'])) as Record<'nodes' | 'edges', readonly unknown[]>
    const mermaid = await cli.ok(['net', 'graph', '--format', 'mermaid'])
    const svg = await cli.ok(['net', 'graph', '--format', 'svg'])
    const titles = findElements(parseXml(svg).root, "g/g/text[@class='title']").map(getText)
    assert.deepEqual([nodes.length, edges.length], [7, 6])
    assert.equal(titles.length, 7)
    assert.ok(titles.includes('<snoop> "1"'))
    assert.equal(mermaid.match(/^ {2}n\d+[[(]/gm)?.length, 7)
    assert.match(mermaid, /"#60;snoop#62; #34;1#34;<br\/>/)
  })

  test('list says of each network whose it is, who is above and below, and who is on it', async () => {
    assert.deepEqual((await cli.ok(['net', 'list'])).replaceAll('\t', ' | ').split('\n'), [
      'vmpkg-uplink | uplink | 192.168.130.0/24 | vmp-uplink | - | - | - | router-uni | - | ',
      'gal0 | gal | 10.2.2.0/24 | vmp-gal0 | router-gal | running, no link | router-uni | - | app (shutoff) | ',
      'uni0 | uni | 10.1.1.0/24 | vmp-uni0 | router-uni | running | - | router-gal | <snoop> "1" (foreign, running) | ',
      '',
    ])
    const { networks } = (await cli.json(['net', 'list'])) as { networks: readonly Record<string, unknown>[] }
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
    const { status, stderr } = await cli.run(['net', 'graph', '--format', 'png'])
    assert.equal(status, 2)
    assert.match(stderr, /There is no format "png"/)
  })

  test('a router that is gone leaves its LAN and who stood behind it, marked', async () => {
    const domain = await connect.domainLookupByName({ name: 'router-uni' })
    await domain.destroy()
    await domain.undefine()
    const text = await cli.ok(['net', 'graph'])
    assert.match(text, /^uni0 .* ! its router is gone$/m)
    assert.match(text, /^├─ router-gal .* ! the router above is gone$/m)
    assert.match(await cli.ok(['net', 'list']), /^uni0\t.*\tits router is gone; router-gal: the router above is gone$/m)
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
