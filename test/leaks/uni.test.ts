/** Packets against the rules, scripts and settings that the guest of router-uni gets: docs/leaks.md. */
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { UNI_CASES } from './cases/uni.ts'

leakTests('router-uni', 'uni', UNI_CASES)
