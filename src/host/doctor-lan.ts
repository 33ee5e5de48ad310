/**
 * Whether this host is off the LANs of routers: the rules that make it silent, the filters before each port, addresses and
 * routes of the host's own, and network managers that would give it some.
 *
 * Source: NetworkManager.conf(5) (unmanaged-devices; the state of each device below /run), proc_pid_net(5).
 */
import { bad, type CheckResult, type DoctorHost, notApplicable, ok, readText } from './doctor-check.ts'
import { parseRoutes } from './preflight-read.ts'

/** What was found of the networks that are up; faults in words. */
export interface LanState {
  /** Bridges of router LANs. */
  readonly bridges: readonly string[]
  /** Of rules and settings; `refusal` where they cannot be seen. */
  readonly rules: { readonly faults: readonly string[] } | { readonly refusal: string }
  /** Cards on LANs before which no filter stands. */
  readonly openPorts: readonly string[]
  /** A router has a network card of this host. */
  readonly ownsCard: boolean
}

/** @param state `undefined` where no libvirt was asked @param sharesNetwork its bridges are in this host's network */
export async function checkLans(
  host: DoctorHost,
  state: LanState | undefined,
  sharesNetwork: boolean,
): Promise<readonly CheckResult[]> {
  if (state === undefined || state.bridges.length === 0) {
    const seen = state === undefined ? 'no libvirt was asked' : 'no LAN of a router is up'
    return ['host-rules', 'lan-ports', 'lan-addresses'].map((id) => notApplicable('network', id, seen))
  }
  const count = state.bridges.length === 1 ? '1 LAN' : `${state.bridges.length} LANs`
  return [
    checkRules(state, count),
    checkPorts(state, count),
    sharesNetwork
      ? await checkAddresses(host, state)
      : notApplicable('network', 'lan-addresses', 'the bridges are in a private host, which has none of this host’s'),
  ]
}

function checkRules({ rules }: LanState, count: string): CheckResult {
  const why = 'A guest on a router’s LAN reaches this host: its services, its addresses, and through it other networks.'
  if ('refusal' in rules)
    return bad('unknown', 'network', 'host-rules', [
      `the rules that keep this host off ${count} are not visible: ${rules.refusal}`,
      why,
      'Look as root: sudo vmpkg doctor',
    ])
  if (rules.faults.length === 0) return ok('network', 'host-rules', `this host is silent on ${count}`)
  return bad('problem', 'network', 'host-rules', [
    rules.faults.slice(0, 3).join('; '),
    why,
    'Run as root: vmpkg start NAME for a router sets them again; whoever flushed all rules (nft flush ruleset, a firewall that was reloaded) should leave the tables vmpkg alone.',
  ])
}

function checkPorts({ openPorts }: LanState, count: string): CheckResult {
  if (openPorts.length === 0) return ok('network', 'lan-ports', `a filter stands before each port of ${count}`)
  return bad('problem', 'network', 'lan-ports', [
    `no filter stands before ${openPorts.slice(0, 3).join('; ')}`,
    'It may pass for another machine, for a lower router or for the router itself.',
    "Take a card that vmpkg did not make off that network, or give it <filterref filter='vmpkg-guest'> with NET; where it has one, its rules were flushed: restart libvirt’s daemon, which loads them again.",
  ])
}

async function checkAddresses(host: DoctorHost, { bridges }: LanState): Promise<CheckResult> {
  const routes = parseRoutes((await readText(host, '/proc/net/route')) ?? '')
  const inet6 = ((await readText(host, '/proc/net/if_inet6')) ?? '').split('\n')
  const routed = bridges.filter((bridge) => routes.some((one) => one.interface === bridge))
  const six = bridges.filter((bridge) => inet6.some((line) => line.trim().endsWith(` ${bridge}`)))
  const managed: string[] = []
  for (const bridge of bridges) if (await isManaged(host, bridge)) managed.push(bridge)
  const found = [
    ...routed.map((bridge) => `this host has an address or a route on ${bridge}`),
    ...six.map((bridge) => `this host has an IPv6 address on ${bridge}`),
    ...managed.map((bridge) => `NetworkManager manages ${bridge}`),
  ]
  if (found.length === 0) return ok('network', 'lan-addresses', 'this host has neither address nor route on a LAN')
  const [first = ''] = [...routed, ...six]
  return bad('problem', 'network', 'lan-addresses', [
    found.slice(0, 3).join('; '),
    'The host is to be no part of a router’s LAN; packets of its own would go there past its other routes.',
    first === ''
      ? 'Write [keyfile] unmanaged-devices=interface-name:vmp-* to /etc/NetworkManager/conf.d/vmpkg.conf, then run: sudo nmcli general reload'
      : `Run: sudo ip address flush dev ${first}; sudo ip route flush dev ${first}; and look who set it (ip -d address show dev ${first}).`,
  ])
}

async function isManaged(host: DoctorHost, bridge: string): Promise<boolean> {
  const index = (await readText(host, `/sys/class/net/${bridge}/ifindex`))?.trim()
  if (index === undefined || !/^\d+$/.test(index)) return false
  const state = (await readText(host, `/run/NetworkManager/devices/${index}`)) ?? ''
  return /^(?:managed=(?:true|1)|nm-owned=(?:true|1))$/m.test(state)
}
