/**
 * Two routers, one behind the other, a client, and machines of others, defined in libvirt's test driver behind a real
 * daemon: none of them runs anything, and the command line sees what it would see of real ones.
 */
import assert from 'node:assert/strict'
import { Connect } from '../../src/libvirt/connect.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { formatDomainFacts, formatNetworkFacts } from '../../src/render/facts-xml.ts'
import { escapeXml } from '../../src/xml/lexical.ts'
import { type Cli, makeCli } from './cli.ts'
import { startPrivateLibvirt } from './private-libvirt.ts'
import { behind, client, lan, mac, router, UPLINK } from './topologies.ts'

export interface LibvirtHouse {
  /** Open as long as the house stands: the driver forgets everything with its last connection. */
  readonly connect: Connect
  readonly cli: Cli
  stop(): Promise<void>
}

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

export async function startHouse(): Promise<LibvirtHouse> {
  const daemon = await startPrivateLibvirt()
  const uri = daemon.uri('test:///default')
  const cli = await makeCli(uri)
  const connect = await Connect.open(uri)
  const stop = async (): Promise<void> => {
    await cli.close()
    await connect.close()
    await daemon.stop()
  }
  try {
    await define(connect)
  } catch (error) {
    await stop()
    throw error
  }
  return { connect, cli, stop }
}

async function define(connect: Connect): Promise<void> {
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
}
