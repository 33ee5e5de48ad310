/** Lines that router-uni has more where it takes people in by OpenVPN: which stand behind others, and what notices them. */
import type { Depth, Mutant } from '../../support/leak-lab/mutants.ts'
import { listMutants } from '../../support/leak-lab/mutants.ts'
import type { RouterFiles } from '../../support/leak-lab/router-files.ts'
import { BERT } from './road-flows.ts'
import { ANY_ROAD, allow, ROAD_CASES } from './roads.ts'
import { policy, SETTING } from './rules.ts'
import { UNI_CASES } from './uni.ts'

const FROM_ROAD = 'iifname "home-ovpn"'

const ROAD_DEPTHS: readonly Depth[] = [
  { line: 'early: iifname != { "lan", "wan", "home-ovpn" } drop', behind: [SETTING.rpFilter, policy('forward')] },
  {
    line: `early: ${FROM_ROAD} ip saddr != 10.8.1.0/24 drop`,
    behind: [ANY_ROAD, SETTING.rpFilter, allow(FROM_ROAD)],
  },
  { line: 'early: iifname "wan" ip saddr 10.8.1.0/24 drop', behind: [SETTING.rpFilter] },
  { line: `forward: ${FROM_ROAD} drop`, behind: [policy('forward')] },
  { line: 'forward: oifname "home-ovpn" drop', behind: [policy('forward')] },
]

/** Those that a third card is for are in the first layer's own cases. */
export const ROAD_MUTANT_CASES = [...ROAD_CASES, ...UNI_CASES.filter(({ id }) => id === 'O3')]

/** Of what `plain` has not. A client who is not there has the same lines as the one who is, with other addresses. */
export function listRoadMutants(files: RouterFiles, plain: RouterFiles): readonly Mutant[] {
  const known = new Set(listMutants(plain, []).map(({ name }) => name))
  return listMutants(files, ROAD_DEPTHS).filter(({ name }) => !known.has(name) && !name.includes(`${BERT} `))
}
