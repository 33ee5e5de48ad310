/** Lines of router-sol that stand behind others, and what those are: see `mutants.ts`. */
import type { Depth } from '../../support/leak-lab/mutants.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { FLAG_RULES, ipv6 } from './depth.ts'
import { policy, SETTING, without } from './rules.ts'
import { FORWARDS, OPEN, withoutInvalid } from './sol-rules.ts'

/** The kernel and the rules answer whatever comes in. */
const answers: readonly Change[] = [SETTING.rpFilter, withoutInvalid('output'), policy('input'), policy('output')]

export const SOL_DEPTHS: readonly Depth[] = [
  { line: 'early: meta nfproto ipv6 drop', behind: [withoutInvalid('output'), ...ipv6, without('iifname "lan" drop')] },
  { line: 'early: iifname != { "lan", "wan" } drop', behind: OPEN },
  { line: 'early: ip option lsrr exists drop', behind: [SETTING.sourceRoute, ...OPEN] },
  { line: 'early: ip option ssrr exists drop', behind: [SETTING.sourceRoute, ...OPEN, policy('output')] },
  // What is no beginning of a connection is not turned to Tor, and the kernel forwards nothing.
  ...FLAG_RULES.map((rule) => ({ line: `early: ${rule}`, behind: OPEN })),
  // Nothing answers port 0, and the kernel forwards nothing.
  { line: 'early: udp sport 0 drop', behind: OPEN },
  { line: 'early: udp dport 0 drop', behind: OPEN },
  { line: 'early: iifname "lan" drop', behind: [SETTING.rpFilter, ...OPEN] },
  { line: 'early: iifname "wan" ip saddr 10.1.1.0/24 drop', behind: answers },
  { line: 'early: iifname "wan" ip daddr != 198.51.100.20 drop', behind: OPEN },
  { line: 'input: ct state invalid drop', behind: [withoutInvalid('output'), policy('output')] },
  { line: 'forward: type filter hook forward priority filter; policy drop;', behind: [FORWARDS] },
  { line: 'output: ct state invalid drop', behind: [policy('output')] },
]
