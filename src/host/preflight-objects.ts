/** Names, UUIDs, MACs and addresses that can be given once only. Pure. */
import type { DomainDemand } from './preflight-demand.ts'
import type { HypervisorFacts } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

export function judgeObjects(
  demand: DomainDemand,
  { domains }: Pick<HypervisorFacts, 'domains'>,
): readonly PreflightFinding[] {
  return [
    ...domains.flatMap((other) => {
      const whose = other.isOurs ? '' : ', which vmpkg did not make'
      if (other.name === demand.name && other.uuid !== demand.uuid) {
        const reason = `the name belongs to the domain with UUID ${other.uuid}${whose}`
        return [
          finding(
            'domain-name-taken',
            `domain ${demand.name}`,
            reason,
            'Choose another --name, or remove that domain first.',
          ),
        ]
      }
      if (other.uuid === demand.uuid && other.name !== demand.name) {
        const reason = `its UUID belongs to the domain ${other.name}${whose}`
        return [
          finding('domain-uuid-taken', `domain ${demand.name}`, reason, 'Leave <uuid> out, so that libvirt makes one.'),
        ]
      }
      return []
    }),
    ...judgeMacs(demand, domains),
    ...repeated(demand.disks.map(({ path, target }) => [target, path])).map(([target]) =>
      finding(
        'target-duplicate',
        `disk ${target}`,
        `two disks have the target ${target}`,
        'Give each disk its own target: vda, vdb and so on.',
      ),
    ),
    ...repeated(demand.addresses.map(({ path, address }) => [address, path])).map(([address, paths]) =>
      finding(
        'address-duplicate',
        paths.at(-1) ?? '',
        `${paths.join(' and ')} have the same address, ${address}`,
        'Leave out <address>, so that libvirt chooses free ones.',
      ),
    ),
  ]
}

function judgeMacs(demand: DomainDemand, domains: HypervisorFacts['domains']): readonly PreflightFinding[] {
  const own = demand.nics.flatMap(({ path, mac }) => (mac === undefined ? [] : [[mac, path] as const]))
  const fix = 'Leave <mac> out, so that libvirt makes one, or give each card its own.'
  return [
    ...repeated(own).map(([mac, paths]) =>
      finding('mac-duplicate', paths[0] ?? '', `two cards of this domain have the MAC ${mac}`, fix),
    ),
    ...own.flatMap(([mac, path]) =>
      domains
        .filter(({ macs }) => macs.includes(mac))
        .map(({ name }) =>
          finding('mac-duplicate', path, `the domain ${name} has a card with the same MAC ${mac}`, fix),
        ),
    ),
  ]
}

/** Keys that stand more than once, with the places. */
function repeated(
  pairs: readonly (readonly [key: string, place: string])[],
): readonly (readonly [string, readonly string[]])[] {
  const places = Map.groupBy(pairs, ([key]) => key)
  return [...places]
    .filter(([, all]) => all.length > 1)
    .map(([key, all]) => [key, all.map(([, place]) => place)] as const)
}
