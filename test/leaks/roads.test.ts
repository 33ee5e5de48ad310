/** Packets against a router-uni that takes people in by OpenVPN, with a real server and a real client: docs/leaks.md. */
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { planOpenvpn } from '../support/leak-lab/openvpn-road.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { ROAD_CASES } from './cases/roads.ts'

const missing = vpnMissing()
if (missing === false) leakTests('router-uni', 'uni', ROAD_CASES, { road: await planOpenvpn() })
else test('router-uni with a road', { skip: missing })
