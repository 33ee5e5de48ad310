/**
 * What may keep guests from their networks: forwarding, firewalls, other network managers, subnets that are used twice,
 * and what dead networks left behind.
 *
 * Source: Docker's documentation of the FORWARD policy, iptables(8), libvirt's firewall page, proc_pid_net(5).
 */
import { overlaps, parseSubnet } from '../model/subnet.ts'
import {
  bad,
  type CheckResult,
  type DoctorHost,
  findProgram,
  listFolder,
  notApplicable,
  ok,
  readText,
} from './doctor-check.ts'
import { parseInterfaces, parseRoutes } from './preflight-read.ts'

/** What libvirt says; `undefined` where it was not asked. */
export interface KnownNetwork {
  readonly name: string
  readonly bridge: string | undefined
  readonly isActive: boolean
  readonly isAutostarted: boolean
  readonly isOurs: boolean
  readonly cidrs: readonly string[]
}

export async function checkNetwork(
  host: DoctorHost,
  networks: readonly KnownNetwork[] | undefined,
  sharesNetwork: boolean,
  ownsCard = false,
): Promise<readonly CheckResult[]> {
  const interfaces = parseInterfaces((await readText(host, '/proc/net/dev')) ?? '')
  const routes = (await readText(host, '/proc/net/route')) ?? ''
  const processes = await listProcesses(host)
  return [
    await checkForwarding(host, networks),
    await checkForwardPolicy(host, interfaces),
    checkDefaultNetwork(networks),
    checkLeftovers(sharesNetwork ? networks : undefined, interfaces, processes),
    checkSubnets(routes, networks, sharesNetwork),
    checkManagers(processes, routes, ownsCard),
  ]
}

interface RunningProcess {
  readonly name: string
  readonly command: string
}

async function listProcesses(host: DoctorHost): Promise<readonly RunningProcess[]> {
  const ids = (await listFolder(host, '/proc')).filter((name) => /^\d+$/.test(name))
  const read = ids.map(async (id) => {
    const name = await readText(host, `/proc/${id}/comm`)
    if (name === undefined || !/^(?:dnsmasq|NetworkManager|systemd-network|ifupdown|connmand|dhclient)$/.test(name))
      return undefined
    return { name, command: ((await readText(host, `/proc/${id}/cmdline`)) ?? '').replaceAll('\0', ' ') }
  })
  return (await Promise.all(read)).filter((one) => one !== undefined)
}

async function checkForwarding(host: DoctorHost, networks: readonly KnownNetwork[] | undefined): Promise<CheckResult> {
  const value = await readText(host, '/proc/sys/net/ipv4/ip_forward')
  if (value === undefined)
    return bad('unknown', 'network', 'ip-forward', [
      'net.ipv4.ip_forward cannot be read',
      'NAT networks of libvirt need it.',
      'Run: sysctl net.ipv4.ip_forward',
    ])
  const active = networks?.some(({ isActive }) => isActive) === true
  if (value === '1' || !active)
    return ok(
      'network',
      'ip-forward',
      value === '1' ? 'the host forwards' : 'the host does not forward, and no network is active',
    )
  return bad('warning', 'network', 'ip-forward', [
    'the host does not forward',
    'Guests on NAT networks reach their bridge and nothing behind it; isolated networks do not need it.',
    'Run: sudo sysctl net.ipv4.ip_forward=1',
  ])
}

async function checkForwardPolicy(host: DoctorHost, interfaces: readonly string[]): Promise<CheckResult> {
  const why = 'Guests on NAT networks have no network although everything looks right.'
  const fix =
    'Let their bridge through: sudo iptables -I DOCKER-USER -i BRIDGE -j ACCEPT, and the same with -o (or -I FORWARD without Docker).'
  const hasDocker = interfaces.includes('docker0')
  const program = await findProgram(host, 'iptables')
  const rules =
    program === undefined || host.root !== ''
      ? await readText(host, '/run/iptables-forward')
      : await run(host, program, ['-w', '1', '-S', 'FORWARD'])
  if (rules !== undefined) {
    if (!/^-P FORWARD DROP/m.test(rules))
      return ok('network', 'forward-policy', 'what guests send is not dropped by policy')
    if (/-j (?:LIBVIRT_FW[IOX])/.test(rules) && !hasDocker)
      return ok('network', 'forward-policy', 'the policy is to drop, and libvirt’s chains are there')
    return bad('warning', 'network', 'forward-policy', [
      `the policy of FORWARD is to drop${hasDocker ? ', and Docker runs' : ''}`,
      why,
      fix,
    ])
  }
  if (hasDocker)
    return bad('unknown', 'network', 'forward-policy', [
      'Docker runs, and its rules are not visible to this user',
      why,
      `Look: sudo iptables -S FORWARD. ${fix}`,
    ])
  return bad('unknown', 'network', 'forward-policy', [
    'the firewall’s rules are not visible to this user',
    why,
    'Look: sudo iptables -S FORWARD; sudo nft list ruleset',
  ])
}

async function run(host: DoctorHost, program: string, args: readonly string[]): Promise<string | undefined> {
  const result = await host.processes
    .run(program, args, { env: { PATH: host.path, LANG: 'C' }, timeoutMs: 10_000 })
    .catch(() => undefined)
  return result?.exitCode === 0 ? result.stdout : undefined
}

/** The seeds ask for it to be gone (TOP-7): its NAT goes past every router. */
function checkDefaultNetwork(networks: readonly KnownNetwork[] | undefined): CheckResult {
  const network = networks?.find(({ name, isOurs }) => name === 'default' && !isOurs)
  if (networks === undefined) return notApplicable('network', 'default-network', 'no libvirt was asked')
  if (network === undefined) return ok('network', 'default-network', 'libvirt has no network default')
  const { isActive, isAutostarted } = network
  if (!isActive && !isAutostarted) return ok('network', 'default-network', 'libvirt’s network default is off')
  return bad('problem', 'network', 'default-network', [
    `libvirt’s network default is ${[isActive ? 'active' : '', isAutostarted ? 'autostarted' : ''].filter(Boolean).join(' and ')}`,
    'A guest on it goes to the Internet past every router, and its DHCP and DNS listen on the host.',
    'Run: virsh net-destroy default; virsh net-autostart --disable default',
  ])
}

function checkLeftovers(
  networks: readonly KnownNetwork[] | undefined,
  interfaces: readonly string[],
  processes: readonly RunningProcess[],
): CheckResult {
  if (networks === undefined)
    return notApplicable('network', 'leftovers', 'the network of this libvirt is not this host’s')
  const living = networks.filter(({ isActive }) => isActive)
  const bridges = interfaces.filter(
    (name) => /^(?:virbr|vmpkg|uni|gal|sol)\d+$/.test(name) && !living.some(({ bridge }) => bridge === name),
  )
  const servers = processes
    .filter(({ name }) => name === 'dnsmasq')
    .map(({ command }) => /\/libvirt\/dnsmasq\/([^/\s]+)\.conf/.exec(command)?.[1])
    .filter((name) => name !== undefined && !living.some((one) => one.name === name))
  const found = [...bridges.map((name) => `the bridge ${name}`), ...servers.map((name) => `a dnsmasq of ${name}`)]
  if (found.length === 0) return ok('network', 'leftovers', 'nothing of dead networks is left')
  return bad('warning', 'network', 'leftovers', [
    `${[...new Set(found)].join(', ')} belongs to no active network`,
    'It holds names, addresses and ports that a new network needs.',
    `Remove it: ${bridges[0] === undefined ? 'end that dnsmasq' : `sudo ip link delete ${bridges[0]}`}`,
  ])
}

function checkSubnets(
  routes: string,
  networks: readonly KnownNetwork[] | undefined,
  sharesNetwork: boolean,
): CheckResult {
  const own = parseRoutes(routes).filter(({ cidr }) => !cidr.startsWith('169.254.'))
  const others = sharesNetwork
    ? (networks ?? [])
        .filter(({ isActive }) => !isActive)
        .flatMap(({ name, cidrs }) => cidrs.map((cidr) => ({ cidr, interface: `network ${name}` })))
    : []
  const all = [...own, ...others]
  const twice = all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => other.interface !== one.interface && overlaps(parseSubnet(one.cidr), parseSubnet(other.cidr)))
      .map((other) => `${one.cidr} of ${one.interface} and ${other.cidr} of ${other.interface}`),
  )
  if (twice.length === 0) return ok('network', 'subnets', 'no subnet is used twice')
  return bad('warning', 'network', 'subnets', [
    `${twice.slice(0, 3).join('; ')} overlap`,
    'One of the two is cut off, or its network does not start.',
    'Give one of them another subnet (virsh net-edit NAME); vmpkg chooses free ones by itself.',
  ])
}

/** On a host that gave its card to a router nothing else should set up networks (HST-15). */
function checkManagers(processes: readonly RunningProcess[], routes: string, ownsCard: boolean): CheckResult {
  const managers = [...new Set(processes.map(({ name }) => name).filter((name) => name !== 'dnsmasq'))]
  const hasDefault = /^\S+\t00000000\t(?!00000000)/m.test(routes)
  const seen = `${managers.length === 0 ? 'no network manager runs' : `${managers.join(', ')} runs`}, and the host has ${hasDefault ? 'a' : 'no'} default route`
  if (managers.length === 0 && !hasDefault) return ok('network', 'host-silence', seen)
  if (ownsCard)
    return bad('problem', 'network', 'host-silence', [
      `${seen}, although a router has a card of this host`,
      'What this host sends by itself goes past that router.',
      'Run: sudo ip route del default; and disable what sets it (systemctl disable --now NetworkManager or its like).',
    ])
  return {
    id: 'host-silence',
    group: 'network',
    status: 'ok',
    seen: `${seen}; a host whose card belongs to a router has neither`,
  }
}
