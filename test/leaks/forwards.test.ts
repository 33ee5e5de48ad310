/** Packets against the rules of a router-uni that forwards ports to a client: docs/leaks.md. */
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { FORWARD_CASES, FORWARDS } from './cases/forwards.ts'

leakTests('router-uni', 'uni', FORWARD_CASES, { forwards: FORWARDS })
