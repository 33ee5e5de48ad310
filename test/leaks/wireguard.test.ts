/** Packets against a router-uni that takes people in by WireGuard, with real clients: docs/leaks.md. */
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { wireguardMissing } from '../support/leak-lab/wireguard-client.ts'
import { planWireguard } from '../support/leak-lab/wireguard-road.ts'
import { WIREGUARD_CASES } from './cases/wireguard.ts'

const missing = wireguardMissing()
if (missing === false) leakTests('router-uni', 'uni', WIREGUARD_CASES, { road: planWireguard() })
else test('router-uni with WireGuard', { skip: missing })
