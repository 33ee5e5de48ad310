/** Changes that negative controls of the third layer share. */
import type { Change } from '../../support/leak-lab/router-files.ts'
import { policy, RULES } from './rules.ts'

/** The kernel forwards. */
export const FORWARDS: Change = { file: 'usr/lib/vmpkg/layer.sh', find: 'FORWARDING=false', replace: 'FORWARDING=true' }
/** Both locks: the kernel forwards, and the rules let it. */
export const OPEN: readonly Change[] = [FORWARDS, policy('forward')]

/** Takes the line out that drops what belongs to no connection. */
export function withoutInvalid(chain: 'input' | 'output'): Change {
  const head = `type filter hook ${chain} priority filter; policy drop;\n`
  return { file: RULES, find: `${head}    ct state invalid drop\n`, replace: head }
}
