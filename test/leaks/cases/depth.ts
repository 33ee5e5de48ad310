/** Lines of router-uni that stand behind others, and what those are: see `mutants.ts`. */
import type { Depth } from '../../support/leak-lab/mutants.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { FORWARD, inChain, MASQUERADE, policy, REDIRECTS_OPEN, RULES, SETTING, without } from './rules.ts'

const anySource: readonly Change[] = [
  { file: RULES, find: FORWARD, replace: 'iifname "lan" oifname "wan" accept' },
  { file: RULES, find: MASQUERADE, replace: 'oifname "wan" masquerade fully-random' },
]
/** With these the kernel answers whatever comes in. */
const open: readonly Change[] = [inChain('output', 'ct state invalid drop'), policy('input'), policy('output')]
export const ipv6: readonly Change[] = [SETTING.noIpv6, policy('input'), policy('output'), policy('forward')]
export const strayFlags: readonly Change[] = [inChain('forward', 'ct state invalid drop')]
export const FLAG_RULES = [
  'tcp flags & (fin | syn) == fin | syn drop',
  'tcp flags & (syn | rst) == syn | rst drop',
  'tcp flags & (fin | rst) == fin | rst drop',
  'tcp flags & (fin | ack) == fin drop',
  'tcp flags & (fin | syn | rst | psh | ack | urg) == 0x0 drop',
]

export const UNI_DEPTHS: readonly Depth[] = [
  {
    line: 'early: meta nfproto ipv6 drop',
    behind: [inChain('output', 'ct state invalid drop'), ...ipv6, without('iifname "lan" drop')],
  },
  { line: 'early: iifname != { "lan", "wan" } drop', behind: [SETTING.rpFilter, policy('forward')] },
  { line: 'early: ip option lsrr exists drop', behind: [SETTING.sourceRoute] },
  { line: 'early: ip option ssrr exists drop', behind: [SETTING.sourceRoute] },
  ...FLAG_RULES.map((rule) => ({ line: `early: ${rule}`, behind: strayFlags })),
  { line: 'early: iifname "lan" drop', behind: [SETTING.rpFilter, ...anySource] },
  { line: 'early: iifname "wan" ip saddr 10.1.1.0/24 drop', behind: [SETTING.rpFilter, policy('input')] },
  { line: 'early: iifname "wan" ip daddr 10.1.1.0/24 drop', behind: [policy('forward')] },
  { line: 'input: ct state invalid drop', behind: [inChain('output', 'ct state invalid drop'), policy('output')] },
  { line: 'setting net/ipv6/conf/$scope/accept_ra 0', behind: [...ipv6, without('meta nfproto ipv6 drop')] },
  { line: 'setting net/ipv4/conf/$scope/accept_redirects 0', behind: [REDIRECTS_OPEN] },
  {
    line: 'setting net/ipv4/conf/$scope/accept_source_route 0',
    behind: [without('ip option lsrr exists drop'), without('ip option ssrr exists drop')],
  },
  { line: 'setting net/ipv4/conf/$scope/arp_announce 2', behind: [policy('output')] },
  { line: 'setting net/ipv4/icmp_echo_ignore_broadcasts 1', behind: open },
]

/** Lines that no packet in a network namespace can tell from their absence, and why they stay. */
export const UNI_UNSEEN: Readonly<Record<string, string>> = {
  'setting net/ipv4/ip_forward 0': 'cards are down until the rules are in; the kernel starts with 0',
  'setting net/ipv4/tcp_syncookies 1': 'against exhaustion, not against leaks',
  'setting net/ipv4/icmp_ignore_bogus_error_responses 1': 'decides what is logged',
  'setting net/ipv4/conf/$scope/send_redirects 0':
    'connection tracking knows no flow for such a redirect and drops it before any rule (seen: two made, none on the wire)',
  'setting net/ipv4/conf/$scope/secure_redirects 0':
    'redirects are refused altogether; this is for the day they are not',
}
