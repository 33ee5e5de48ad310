/** Lines of router-gal that stand behind others, and what those are: see `mutants.ts`. */
import type { Depth } from '../../support/leak-lab/mutants.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { FLAG_RULES, ipv6, strayFlags } from './depth.ts'
import { ANY_SOURCE } from './gal-rules.ts'
import { inChain, policy, SETTING, without } from './rules.ts'

/** The kernel and the rules answer and forward whatever comes in at the card. */
const OPEN: readonly Change[] = [
  SETTING.rpFilter,
  inChain('output', 'ct state invalid drop'),
  policy('input'),
  policy('forward'),
  policy('output'),
]

export const GAL_DEPTHS: readonly Depth[] = [
  {
    line: 'early: meta nfproto ipv6 drop',
    behind: [inChain('output', 'ct state invalid drop'), ...ipv6, without('iifname "lan" drop')],
  },
  { line: 'early: iifname != { "lan", "wan", "tunnel" } drop', behind: [SETTING.rpFilter, policy('forward')] },
  { line: 'early: ip option lsrr exists drop', behind: [SETTING.sourceRoute] },
  { line: 'early: ip option ssrr exists drop', behind: [SETTING.sourceRoute] },
  ...FLAG_RULES.map((rule) => ({ line: `early: ${rule}`, behind: strayFlags })),
  { line: 'early: iifname "lan" drop', behind: [SETTING.rpFilter, ...ANY_SOURCE] },
  {
    line: 'early: iifname "wan" ip saddr 10.1.1.0/24 drop',
    behind: [...OPEN],
  },
  {
    line: 'early: iifname "wan" ip daddr 10.1.1.0/24 drop',
    behind: [...OPEN, without('iifname "wan" ip daddr != 198.51.100.20 drop')],
  },
  { line: 'early: iifname "tunnel" ip saddr 10.1.1.0/24 drop', behind: [...OPEN] },
  { line: 'early: iifname "tunnel" ip daddr 10.1.1.0/24 drop', behind: [policy('forward')] },
  { line: 'early: iifname "wan" ip daddr != 198.51.100.20 drop', behind: [...OPEN] },
  {
    line: 'input: ct state invalid drop',
    behind: [inChain('output', 'ct state invalid drop'), policy('output')],
  },
]
