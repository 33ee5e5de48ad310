/** Changes that negative controls share. */
import type { Change } from '../../support/leak-lab/router-files.ts'

export const RULES = 'nftables.nft'
export const BOOT = 'usr/lib/vmpkg/boot'

/** Takes a whole line of the rule file out. */
export function without(rule: string): Change {
  return { file: RULES, find: `    ${rule}\n`, replace: '' }
}

/** Puts a rule before another. */
export function before(rule: string, added: string): Change {
  return { file: RULES, find: `    ${rule}\n`, replace: `    ${added}\n    ${rule}\n` }
}

/** The line of the boot script that sets `name`. */
export function withoutSetting(name: string): Change {
  return { file: BOOT, find: `    setting ${name}`, replace: `    : setting ${name}` }
}

export const SETTING = {
  noIpv6: withoutSetting('net/ipv6/conf/$scope/disable_ipv6'),
  rpFilter: withoutSetting('net/ipv4/conf/$scope/rp_filter'),
  sourceRoute: withoutSetting('net/ipv4/conf/$scope/accept_source_route'),
  proxyArp: withoutSetting('net/ipv4/conf/$scope/proxy_arp'),
  arpIgnore: withoutSetting('net/ipv4/conf/$scope/arp_ignore'),
} as const

/** The kernel refuses redirects for all cards as soon as it forwards; with this each card's own setting counts. */
export const REDIRECTS_OPEN: Change = {
  file: BOOT,
  find: '  ip link set dev lo up\n',
  replace: '  echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects\n  ip link set dev lo up\n',
}

export const FORWARD = 'iifname "lan" oifname "wan" ip saddr 10.1.1.0/24 ip daddr != 10.1.1.0/24 accept'
export const ANSWERS =
  'iifname "wan" oifname "lan" ip daddr 10.1.1.0/24 ct state established,related ct direction reply accept'
export const MASQUERADE = 'oifname "wan" ip saddr 10.1.1.0/24 masquerade fully-random'

/** Puts a rule at the head of a chain. */
export function atHead(chain: 'input' | 'forward' | 'output', rule: string): Change {
  const head = `type filter hook ${chain} priority filter; policy drop;\n`
  return { file: RULES, find: head, replace: `${head}    ${rule}\n` }
}

/** Takes a line out of one chain, of those that have the same near their head. */
export function inChain(chain: 'input' | 'forward' | 'output', rule: string): Change {
  const head = `type filter hook ${chain} priority filter; policy drop;\n`
  const lo = { input: '    iifname "lo" accept\n', forward: '', output: '    oifname "lo" accept\n' }[chain]
  return { file: RULES, find: `${head}${lo}    ${rule}\n`, replace: `${head}${lo}` }
}

/** A chain's policy. */
export function policy(chain: 'input' | 'forward' | 'output'): Change {
  const head = `type filter hook ${chain} priority filter; policy`
  return { file: RULES, find: `${head} drop`, replace: `${head} accept` }
}
