/**
 * What a router has to let through for the routers behind it, derived from what they declare: the second of two walls. A
 * lower router is its MAC and its reserved address together, and it reaches its endpoints and nothing else.
 */
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { EndpointContext, LowerContext } from '../model/template-context.ts'

/** A router as libvirt has it: its definition and, while it runs, what it was started with. */
export interface KnownRouter {
  readonly name: string
  readonly facts: DomainFacts
  readonly running?: DomainFacts
}

/**
 * By name. While a router runs with another definition than the stored one, both are let through: whoever changes a
 * router widens above first, and narrows when the old one is gone.
 */
export function findLowers(instance: string, routers: readonly KnownRouter[]): readonly LowerContext[] {
  return routers
    .flatMap(({ name, facts, running }) => {
      const own = [running, facts].flatMap((one) => (one === undefined ? [] : (lowerOf(name, one, instance) ?? [])))
      const [first] = own
      if (first === undefined) return []
      return [{ ...first, endpoints: sortEndpoints(own.flatMap(({ endpoints }) => endpoints)), ...reachOf(own) }]
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function lowerOf(name: string, facts: DomainFacts, instance: string): LowerContext | undefined {
  const { kind, net, wanMac, wanAddress, endpoints = [], reach } = facts
  if (kind !== 'router' || net !== instance || wanMac === undefined || wanAddress === undefined) return undefined
  return { name, wanMac, wanAddress, endpoints, ...(reach === undefined ? {} : { reach }) }
}

function reachOf(own: readonly LowerContext[]): Pick<LowerContext, 'reach'> {
  const found = own.find(({ reach }) => reach !== undefined)?.reach
  return found === undefined ? {} : { reach: found }
}

/** Each once, in an order of their own: equal policies make equal rule files. */
function sortEndpoints(endpoints: readonly EndpointContext[]): readonly EndpointContext[] {
  const key = ({ address, protocol, port }: EndpointContext): string => `${address} ${protocol} ${port}`
  const unique = new Map(endpoints.map((one) => [key(one), one]))
  return [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

/** Whether both let the same through. */
export function sameLowers(a: readonly LowerContext[], b: readonly LowerContext[]): boolean {
  const text = (lowers: readonly LowerContext[]): string =>
    JSON.stringify(
      lowers.map(({ name, wanMac, wanAddress, endpoints, reach }) => [
        name,
        wanMac,
        wanAddress,
        endpoints.map(({ address, protocol, port }) => [address, protocol, port]),
        reach,
      ]),
    )
  return text(a) === text(b)
}
