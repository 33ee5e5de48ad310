/** Packets against a router-uni that takes people in by OpenVPN, with a real server and a real client: docs/leaks.md. */
import { describe } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { planOpenvpn } from '../support/leak-lab/openvpn-road.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { UDP_CASES } from './cases/road-removal.ts'
import { ROAD_CASES } from './cases/roads.ts'

const missing = vpnMissing()

// By UDP it is waiting, most of the time.
describe('OpenVPN', { skip: missing, concurrency: 2 }, async () => {
  if (missing !== false) return
  const [tcp, udp] = [await planOpenvpn('tcp'), await planOpenvpn('udp')]
  leakTests('router-uni', 'uni', ROAD_CASES, { road: tcp })
  leakTests('router-uni', 'uni', UDP_CASES, { road: udp })
})
