/** Lines that router-uni has more where it takes people in: which stand behind others, and what notices them. */
import { OPENVPN_DEVICE } from '../../../src/router/openvpn-server.ts'
import { WIREGUARD_DOOR } from '../../../src/router/vpn-server.ts'
import type { Depth, Mutant } from '../../support/leak-lab/mutants.ts'
import { listMutants } from '../../support/leak-lab/mutants.ts'
import type { Road } from '../../support/leak-lab/road.ts'
import type { RouterFiles } from '../../support/leak-lab/router-files.ts'
import { BERT } from './road-flows.ts'
import { allow } from './road-passage.ts'
import { ANY_ROAD, ROAD_CASES } from './roads.ts'
import { policy, SETTING } from './rules.ts'
import { UNI_CASES } from './uni.ts'
import { ANY_KEY, WIREGUARD_CASES } from './wireguard.ts'

const DOORS = {
  openvpn: { device: OPENVPN_DEVICE, anySource: ANY_ROAD, cases: ROAD_CASES },
  wireguard: { device: WIREGUARD_DOOR.device, anySource: ANY_KEY, cases: WIREGUARD_CASES },
} as const

function roadDepths({ kind }: Road): readonly Depth[] {
  const { device, anySource } = DOORS[kind]
  const from = `iifname "${device}"`
  return [
    { line: `early: iifname != { "lan", "wan", "${device}" } drop`, behind: [SETTING.rpFilter, policy('forward')] },
    {
      line: `early: ${from} ip saddr != 10.8.1.0/24 drop`,
      behind: [anySource, SETTING.rpFilter, allow(from)],
    },
    { line: 'early: iifname "wan" ip saddr 10.8.1.0/24 drop', behind: [SETTING.rpFilter] },
    { line: `forward: ${from} drop`, behind: [policy('forward')] },
    { line: `forward: oifname "${device}" drop`, behind: [policy('forward')] },
  ]
}

/** Those that a third card is for are in the first layer's own cases. */
export function roadMutantCases({ kind }: Road) {
  return [...DOORS[kind].cases, ...UNI_CASES.filter(({ id }) => id === 'O3')]
}

/** Of what `plain` has not. A client who is not there has the same lines as the one who is, with other addresses. */
export function listRoadMutants(files: RouterFiles, plain: RouterFiles, road: Road): readonly Mutant[] {
  const known = new Set(listMutants(plain, []).map(({ name }) => name))
  return listMutants(files, roadDepths(road)).filter(({ name }) => !known.has(name) && !name.includes(`${BERT} `))
}
