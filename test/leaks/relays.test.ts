/** Packets against the rules of a router-gal that keeps the relays which a Tor router behind it may reach: docs/leaks.md. */
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { RELAY_CASES, TOR_ROUTER } from './cases/relays.ts'

const missing = vpnMissing() || (existsSync('/usr/bin/tor') ? false : 'Tor is not installed')
if (missing === false) leakTests('router-gal', 'gal', RELAY_CASES, { lowers: TOR_ROUTER })
else test('router-gal with a Tor router behind it', { skip: missing })
