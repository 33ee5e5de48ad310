/** All cases of the first layer. */
import type { LeakCase } from '../../support/leak-lab/leak-case.ts'
import { AGENT } from './agent.ts'
import { agentEnds } from './agent-killed.ts'
import { CONTROL } from './control.ts'
import { UNI_ENCRYPTED_NAMES } from './encrypted-names.ts'
import { FORWARDING } from './forwarding.ts'
import { IDENTITY } from './identity.ts'
import { IPV6 } from './ipv6.ts'
import { NAMES } from './names.ts'
import { ROUTES } from './routes.ts'
import { UNI_SECOND } from './second.ts'
import { SWEEP } from './sweep.ts'
import { WORKS } from './works.ts'

export const UNI_CASES: readonly LeakCase[] = [
  ...WORKS,
  ...FORWARDING,
  ...NAMES,
  ...IPV6,
  ...ROUTES,
  ...IDENTITY,
  ...CONTROL,
  ...AGENT,
  UNI_ENCRYPTED_NAMES,
  agentEnds(['wan', 'lan', 'a', 'b'], ['B', 'U', 'R', 'F']),
  SWEEP,
  ...UNI_SECOND,
]
