/** Packets against a router-gal whose tunnel is one of ssh, with a real sshd: docs/leaks.md. */
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { leakTests } from '../support/leak-lab/leak-test.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { SSH_CASES } from './cases/ssh.ts'

const missing = vpnMissing() || (existsSync('/usr/sbin/sshd') ? false : 'There is no sshd')
if (missing === false) leakTests('router-gal', 'gal', SSH_CASES, { vpn: 'ssh' })
else test('router-gal with a tunnel of ssh', { skip: missing })
