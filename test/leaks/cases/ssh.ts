/** Of the second layer's cases those that differ where ssh makes the tunnel: that it carries clients, and what is when it ends. */
import type { LeakCase } from '../../support/leak-lab/leak-case.ts'
import { GAL_CASES } from './gal.ts'

const CHOSEN = ['A1', 'W3'] as const

export const SSH_CASES: readonly LeakCase[] = GAL_CASES.filter(({ id }) => CHOSEN.some((one) => one === id))
