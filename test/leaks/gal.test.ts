/** Packets against the rules, scripts and settings that the guest of router-gal gets, with a real OpenVPN: docs/leaks.md. */
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { GAL_CASES } from './cases/gal.ts'

const missing = vpnMissing()
if (missing === false) leakTests('router-gal', 'gal', GAL_CASES)
else test('router-gal in network namespaces', { skip: missing })
