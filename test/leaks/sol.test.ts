/** Packets against the rules, scripts and settings that the guest of router-sol gets, with a real Tor: docs/leaks.md. */
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { SOL_CASES } from './cases/sol.ts'

if (existsSync('/usr/bin/tor')) leakTests('router-sol', 'sol', SOL_CASES)
else test('router-sol in network namespaces', { skip: 'Tor is not installed' })
