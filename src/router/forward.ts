/** Ports that lead from a router's outer address to a client behind it: words for them, and what a router's rules get. */
import { VmpkgError } from '../errors.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { ForwardedContext, PortForward } from '../model/template-context.ts'

/** A router's LAN has few clients with forwarded ports, and each of them few ports. */
export const MAX_FORWARDS = 64

/** `tcp/8443:443`, `udp/53`: protocol, outer port, the client's where it is another. @throws {VmpkgError} `USAGE` */
export function parseForward(text: string): PortForward {
  const [, protocol, port, target] = /^(tcp|udp)\/([1-9]\d{0,4})(?::([1-9]\d{0,4}))?$/.exec(text) ?? []
  const [outer, inner] = [Number(port), Number(target ?? port)]
  if ((protocol !== 'tcp' && protocol !== 'udp') || outer > 65_535 || inner > 65_535) {
    throw new VmpkgError('USAGE', `Not a port to forward: ${JSON.stringify(text.slice(0, 40))}`, {
      hint: 'Write tcp/443, or tcp/8443:443 where the port outside is another.',
    })
  }
  return { protocol, port: outer, target: inner }
}

export function formatForward({ protocol, port, target }: PortForward): string {
  return `${protocol}/${port}${target === port ? '' : `:${target}`}`
}

export function isSameOuter(a: PortForward, b: PortForward): boolean {
  return a.protocol === b.protocol && a.port === b.port
}

/** What a router forwards, by what libvirt knows of the clients on its LAN; in an order of its own. */
export function findForwards(
  instance: string,
  machines: readonly { readonly name: string; readonly facts: DomainFacts }[],
): readonly ForwardedContext[] {
  return machines
    .flatMap(({ name, facts: { kind, net, wanMac, wanAddress, forwards = [] } }): readonly ForwardedContext[] => {
      const isIt = kind !== 'router' && net === instance && forwards.length > 0
      if (!isIt || wanMac === undefined || wanAddress === undefined) return []
      return [{ name, mac: wanMac, address: wanAddress, ports: forwards.toSorted(comparePorts) }]
    })
    .toSorted((a, b) => (a.address < b.address ? -1 : 1))
}

export function comparePorts(a: PortForward, b: PortForward): number {
  return a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1
}

export function sameForwards(a: readonly ForwardedContext[], b: readonly ForwardedContext[]): boolean {
  const text = (all: readonly ForwardedContext[]): string =>
    JSON.stringify(
      all.map(({ name, mac, address, ports }) => [
        name,
        mac,
        address,
        ports.map(({ protocol, port, target }) => [protocol, port, target]),
      ]),
    )
  return text(a) === text(b)
}
