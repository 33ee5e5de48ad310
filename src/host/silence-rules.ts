/**
 * The nftables rules that keep this host off the bridges of vmpkg's networks, as a function of those bridges. Pure.
 *
 * A chain hooked on the bridge device itself drops whatever would reach the host, ARP and IPv6 included, and leaves alone
 * what ports say to each other. The tables of families `inet` and `arp` close the other way, and stand behind the first. Verdicts of other
 * tables do not matter: what is dropped here is dropped (nft(8)).
 *
 * Hooks on devices need the device, and old kernels take the chain away with it, so the rules are loaded again whenever a
 * network comes up. `flush` instead of `delete`: the hooks stay, and the kernel exchanges all rules at once.
 */
import { VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'

/** What vmpkg owns of this host's network. */
export interface OwnBridges {
  /** Bridges of router LANs: the host is no part of them. */
  readonly lans: readonly string[]
  /** The host is there for DHCP, for names, and to pass things on. */
  readonly uplinks: readonly OwnUplink[]
}

interface OwnUplink {
  readonly bridge: string
  /** The host's own on it. */
  readonly address: string
}

const FAMILIES = ['inet', 'arp', 'netdev'] as const
type Family = (typeof FAMILIES)[number]

/** One chain of ours: `at` is what a listing has to say of it, the rules are in order. */
export interface SilenceChain {
  readonly table: Family
  readonly name: string
  readonly type: string
  readonly at: readonly string[]
  readonly policy: 'accept' | 'drop'
  readonly rules: readonly string[]
}

/** Before libvirt's chains; only a drop is final, so it matters for what is counted and nothing else. */
const PRIORITY = -10
const DEVICE_PRIORITY = -500
/** Before connection tracking (-200, nft(8)). */
const RAW_PRIORITY = -310

export function silenceChains(bridges: OwnBridges): readonly SilenceChain[] {
  const { lans, uplinks } = bridges
  if (lans.length + uplinks.length === 0) return []
  for (const name of [...lans, ...uplinks.map(({ bridge }) => bridge)]) checkName(name)
  const own = uplinks.map(({ bridge, address }) => ({
    bridge,
    rules: ['ether type ip accept', `ether type arp arp daddr ip ${checkAddress(address)} accept`],
  }))
  const all = lans.map((name) => `"${name}"`).join(', ')
  const lan = (word: 'iifname' | 'oifname'): readonly string[] => (lans.length === 0 ? [] : [`${word} { ${all} } drop`])
  return [
    chain('inet', 'untracked', 'prerouting', 'accept', untracked(lans), { priority: RAW_PRIORITY }),
    chain('inet', 'input', 'input', 'accept', [...lan('iifname'), ...uplinks.flatMap(uplinkInput)]),
    chain('inet', 'forward', 'forward', 'accept', lans.flatMap(noWayThrough)),
    chain('inet', 'output', 'output', 'accept', [...lan('oifname'), ...uplinks.map(uplinkOutput), ...TAP_RULES]),
    chain('arp', 'output', 'output', 'accept', lan('oifname')),
    ...lans.map((bridge) => chain('netdev', `from-${bridge}`, 'ingress', 'drop', [], { device: bridge })),
    ...own.map(({ bridge, rules }) => chain('netdev', `from-${bridge}`, 'ingress', 'drop', rules, { device: bridge })),
  ]
}

/**
 * Where br_netfilter is on, what machines of a LAN say to each other comes by the host's address translation as well: the
 * rule that hides the uplink's guests would put the host's address in place of a sender that a router let in.
 */
function untracked(lans: readonly string[]): readonly string[] {
  return lans.length === 0 ? [] : [`iifname { ${lans.map((name) => `"${name}"`).join(', ')} } notrack`]
}

/** Not from port to port: where br_netfilter is on, frames of a bridge come by here as from the bridge to itself. */
function noWayThrough(bridge: string): readonly string[] {
  return [`iifname "${bridge}" oifname != "${bridge}" drop`, `iifname != "${bridge}" oifname "${bridge}" drop`]
}

/**
 * A tap has a link-local address of the host until it is a port of its bridge, and the host greets the guest from it:
 * frames of IPv6 that no bridge's rules see. Only greetings: nothing that works needs them.
 */
const TAP_RULES = [
  'oifname "vnet*" icmpv6 type { mld-listener-report, mld2-listener-report, nd-router-solicit } drop',
  'oifname "vnet*" ip6 saddr :: drop',
]

/** libvirt lets 53 and 67 in for whatever listens; here only to the network's own address. */
function uplinkInput({ bridge, address }: OwnUplink): readonly string[] {
  const from = `iifname "${bridge}"`
  return [
    `${from} ct state established,related accept`,
    `${from} ip daddr { ${address}, 255.255.255.255 } udp sport 68 udp dport 67 accept`,
    `${from} ip daddr ${address} udp dport 53 accept`,
    `${from} ip daddr ${address} tcp dport 53 accept`,
    `${from} drop`,
  ]
}

function uplinkOutput({ bridge }: OwnUplink): string {
  return `oifname "${bridge}" meta nfproto ipv6 drop`
}

function chain(
  table: Family,
  name: string,
  hook: string,
  policy: SilenceChain['policy'],
  rules: readonly string[],
  { device, priority = device === undefined ? PRIORITY : DEVICE_PRIORITY }: { device?: string; priority?: number } = {},
): SilenceChain {
  const where = device === undefined ? '' : ` device "${device}"`
  const at = [`hook ${hook}`, `policy ${policy}`, ...(device === undefined ? [] : [device])]
  return {
    table,
    name,
    type: `type filter hook ${hook}${where} priority ${priority}; policy ${policy};`,
    at,
    policy,
    rules,
  }
}

/**
 * One transaction for `nft -f -`.
 * @param chains none takes the tables away
 * @param present names of chains that the tables have; `undefined` makes the tables afresh
 */
export function formatSilence(chains: readonly SilenceChain[], present: readonly PresentChain[] | undefined): string {
  const tables = FAMILIES.map((family) => `table ${family} vmpkg`)
  const afresh = tables.flatMap((table) => [`add ${table}`, `delete ${table}`])
  if (chains.length === 0) return lines(afresh)
  const stale = (present ?? []).filter((one) => !chains.some((own) => own.table === one.table && own.name === one.name))
  return lines([
    ...(present === undefined ? afresh : []),
    ...tables.map((table) => `add ${table}`),
    ...(present === undefined ? [] : tables.map((table) => `flush ${table}`)),
    ...stale.map(({ table, name }) => `delete chain ${table} vmpkg ${name}`),
    ...chains.map(({ table, name, type }) => `add chain ${table} vmpkg ${name} { ${type} }`),
    ...chains.flatMap((own) => own.rules.map((rule) => `add rule ${own.table} vmpkg ${own.name} ${marked(rule)}`)),
  ])
}

/** The mark by which a rule is found again in a listing, whose wording depends on the version of nft. */
function marked(rule: string): string {
  return `${rule} comment "${markOf(rule)}"`
}

function markOf(rule: string): string {
  return `vmpkg ${sha256(rule).slice(0, 16)}`
}

export interface PresentChain {
  readonly table: Family
  readonly name: string
  /** The line that says where it is hooked; empty for none. */
  readonly type: string
  /** Comments of its rules, in order; empty for a rule without one. */
  readonly marks: readonly string[]
}

/** What `nft list table` printed of our tables. */
export function parseSilence(listing: string): readonly PresentChain[] {
  const found: { table: Family; name: string; type: string; marks: string[] }[] = []
  let table: Family = 'inet'
  let open: (typeof found)[number] | undefined
  for (const line of listing.split('\n').map((text) => text.trim())) {
    const family = FAMILIES.find((one) => line === `table ${one} vmpkg {`)
    const [, name] = /^chain (\S+) \{/.exec(line) ?? []
    if (family !== undefined) table = family
    else if (name !== undefined) {
      open = { table, name, type: '', marks: [] }
      found.push(open)
    } else if (line === '}') open = undefined
    else if (open !== undefined && line.startsWith('type ')) open.type = line
    else if (open !== undefined && line !== '') open.marks.push(/ comment "([^"]*)"$/.exec(line)?.[1] ?? '')
  }
  return found
}

/** What the tables lack or have too much, in words; nothing where they are as they should be. */
export function judgeSilence(chains: readonly SilenceChain[], present: readonly PresentChain[]): readonly string[] {
  const faults = chains.flatMap(({ table, name, at, rules }) => {
    const is = present.find((one) => one.table === table && one.name === name)
    if (is === undefined) return [`table ${table} vmpkg has no chain ${name}`]
    const words = is.type.replaceAll(/["{};]/g, ' ').replaceAll(/\s+/g, ' ')
    const lacks = at.filter((part) => !` ${words} `.includes(` ${part} `))
    const marks = rules.map(markOf)
    const same = marks.length === is.marks.length && marks.every((mark, index) => mark === is.marks[index])
    return [
      ...(lacks.length === 0 ? [] : [`chain ${name} of table ${table} vmpkg is not ${lacks.join(', ')}`]),
      ...(same ? [] : [`the rules of chain ${name} of table ${table} vmpkg are not ours`]),
    ]
  })
  const more = present.filter((one) => !chains.some((own) => own.table === one.table && own.name === one.name))
  return [...faults, ...more.map(({ table, name }) => `table ${table} vmpkg has a chain ${name} of no network`)]
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('')
}

/** It is pasted into rules. */
function checkName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name)) return
  throw new VmpkgError('HOST_RULES_FAILED', `No rule can name the bridge ${JSON.stringify(name.slice(0, 40))}`, {
    hint: 'Give the network a bridge of letters, digits, dots, hyphens and underscores: virsh net-edit.',
  })
}

function checkAddress(address: string): string {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) return address
  throw new VmpkgError('HOST_RULES_FAILED', `Not an IPv4 address of a network: ${JSON.stringify(address.slice(0, 40))}`)
}
