/** What network cards and screens ask of the host: networks, bridges, ports. Source: libvirt's formatdomain.rst. Pure. */
import { findElement, findElements } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import { attribute, toNumber } from './demand-values.ts'

export interface NicDemand {
  readonly path: string
  readonly type: string
  readonly mac: string | undefined
  readonly network: string | undefined
  readonly bridge: string | undefined
  /** Interface of a direct card. */
  readonly device: string | undefined
  readonly backend: string | undefined
  readonly forwards: readonly PortDemand[]
}

export interface PortDemand {
  readonly path: string
  readonly protocol: 'tcp' | 'udp'
  readonly address: string | undefined
  readonly port: number
}

export function readNic(nic: XmlElement): NicDemand {
  const mac = attribute(findElement(nic, 'mac'), 'address')?.toLowerCase()
  const source = findElement(nic, 'source')
  const path = `interface ${mac ?? attribute(source, 'network') ?? attribute(source, 'bridge') ?? ''}`.trim()
  return {
    path,
    type: attribute(nic, 'type') ?? '',
    mac,
    network: attribute(source, 'network'),
    bridge: attribute(source, 'bridge'),
    device: attribute(source, 'dev'),
    backend: attribute(findElement(nic, 'backend'), 'type'),
    forwards: findElements(nic, 'portForward').flatMap((forward) =>
      findElements(forward, 'range').flatMap((range) => {
        const first = toNumber(attribute(range, 'start'))
        if (first === undefined || attribute(range, 'exclude') === 'yes') return []
        const last = Math.min(toNumber(attribute(range, 'end')) ?? first, first + 1024)
        const protocol = attribute(forward, 'proto') === 'udp' ? ('udp' as const) : ('tcp' as const)
        const address = attribute(forward, 'address')
        return Array.from({ length: last - first + 1 }, (_, index) => ({
          path,
          protocol,
          address,
          port: first + index,
        }))
      }),
    ),
  }
}

export function readGraphicsPorts(graphics: XmlElement): readonly PortDemand[] {
  if (attribute(graphics, 'autoport') === 'yes') return []
  const listen = findElement(graphics, 'listen')
  if (['socket', 'none'].includes(attribute(listen, 'type') ?? '') || attribute(graphics, 'socket') !== undefined)
    return []
  const type = attribute(graphics, 'type') ?? ''
  const address = attribute(listen, 'address') ?? attribute(graphics, 'listen')
  return ['port', 'tlsPort', 'websocket'].flatMap((name) => {
    const port = toNumber(attribute(graphics, name))
    return port === undefined || port <= 0
      ? []
      : [{ path: `graphics ${type}`, protocol: 'tcp' as const, address, port }]
  })
}
