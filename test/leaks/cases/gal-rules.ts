/** Changes that negative controls of the second layer share: each is a fault that such routers are known for. */
import type { Change } from '../../support/leak-lab/router-files.ts'
import { RULES } from './rules.ts'

const RUN = 'usr/lib/vmpkg/run-uplink'
export const LAYER = 'usr/lib/vmpkg/layer.sh'
export const INTO_TUNNEL = 'iifname "lan" oifname "tunnel" ip saddr 10.1.1.0/24 ip daddr != 10.1.1.0/24 accept'
export const OUT_OF_TUNNEL = 'iifname "tunnel" oifname "lan" ip daddr 10.1.1.0/24 ct state established,related accept'
export const MASQUERADE = 'oifname "tunnel" ip saddr 10.1.1.0/24 masquerade fully-random'

/** Without the tunnel the way out is the WAN. */
export const FALLS_BACK: Change = {
  file: RUN,
  find: 'ip route del default 2>/dev/null',
  replace: 'ip route replace default via "$S_WAN_GATEWAY" dev wan',
}
/** What is done when the tunnel comes up, besides. */
export function onceUp(script: string): Change {
  const find = '  echo "$ADDRESS" >"$STATE/tunnel.up"\n}'
  return { file: RUN, find, replace: `  ${script}\n${find}` }
}
/** What is done when it goes down, besides. */
export function onceDown(script: string): Change {
  const find = '  : >"$STATE/resolv.upstream"\n'
  return { file: RUN, find, replace: `${find}  ${script}\n` }
}

export function changed(rule: string, to: string): Change {
  return { file: RULES, find: rule, replace: to }
}

/** Any source, by the rules. */
export const ANY_SOURCE: readonly Change[] = [
  changed(INTO_TUNNEL, 'iifname "lan" oifname "tunnel" accept'),
  changed(MASQUERADE, 'oifname "tunnel" masquerade fully-random'),
]
