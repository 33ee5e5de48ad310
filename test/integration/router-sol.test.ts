/** What router-sol's medium holds for each kind of Tor network, as the programs in its guest read it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatStoredFile } from '../../src/model/stored-file.ts'
import type { GuestTemplateContext } from '../../src/model/template-context.ts'
import { findTorContext } from '../../src/operations/file-parameters.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { planLan, planPlace, routerContext } from '../../src/router/plan.ts'
import { readTemplate } from '../support/render-contexts.ts'

const IDENTITY = '0123456789ABCDEF0123456789ABCDEF01234567'
const FILES: Readonly<Record<string, string | undefined>> = {
  'the public network': undefined,
  bridges: `Bridge 203.0.113.5:443\nBridge 203.0.113.6:9001 ${IDENTITY}\n`,
  'a network of its own': `DirAuthority a orport=443 v3ident=${IDENTITY} 203.0.113.1:80 ${IDENTITY}\nrelay 203.0.113.2:443\n`,
}
const PROGRAMS = ['/usr/bin/tor', '/usr/sbin/nft', '/usr/sbin/dnsmasq']
const missing = PROGRAMS.filter((program) => !existsSync(program))

function render(name: string, text: string | undefined): string {
  const definitions = { tor: { type: 'file', format: 'tor-network', optional: true } } as const
  const stored =
    text === undefined
      ? {}
      : { tor: { value: formatStoredFile('lab.txt', Buffer.from(text)), origin: 'command line' } as const }
  const tor = findTorContext(definitions, stored)
  const lan = planLan('sol', { subnets: [], networks: [], bridges: [] })
  const wan = planPlace('gal0', '10.2.2.0/24', [])
  const context: GuestTemplateContext = {
    identity: { hostname: lan.instance, machineId: 'ab'.repeat(16), seed: 'cd'.repeat(32) },
    nics: [],
    params: {},
    router: routerContext(
      'sol',
      lan,
      { wan: '02:00:00:00:00:01', lan: '02:00:00:00:00:02' },
      { wan, ...(tor && { tor }) },
    ),
  }
  return renderGuestFile(`${name}.hbs`, readTemplate(join('router-sol', 'guest', `${name}.hbs`)), context)
}

function accept(input: string, ...argv: readonly [string, ...string[]]): void {
  const [program, ...words] = argv
  const { status, stdout, stderr } = spawnSync(program, words, { input, encoding: 'utf8' })
  assert.equal(status, 0, `${argv.join(' ')}: ${stdout}${stderr}`)
}

describe('the configuration of router-sol', {
  skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
}, () => {
  for (const [what, text] of Object.entries(FILES)) {
    test(`for ${what} is taken by nft, Tor and dnsmasq`, () => {
      accept(render('nftables.nft', text), 'unshare', '--map-root-user', '--net', 'nft', '--check', '--file', '-')
      accept(render('torrc', text), 'tor', '--verify-config', '--defaults-torrc', '/dev/null', '-f', '-')
      accept(render('dnsmasq.conf', text), 'dnsmasq', '--test', '--conf-file=-')
    })
  }
})
