/** A sample of the mutants of `npm run soak -- leaks`, and that none goes unlisted. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Ahead } from '../support/leak-lab/ahead.ts'
import { LAN_MAC, type Lab, startLab, WAN_MAC } from '../support/leak-lab/lab.ts'
import { LABS } from '../support/leak-lab/leak-test.ts'
import { listMutants } from '../support/leak-lab/mutants.ts'
import { labMissing } from '../support/leak-lab/namespace.ts'
import { planOpenvpn } from '../support/leak-lab/openvpn-road.ts'
import { type RouterFiles, readRouterFiles, withChanges } from '../support/leak-lab/router-files.ts'
import { MutantRunner, type Verdict } from '../support/leak-lab/run-mutant.ts'
import { vpnMissing } from '../support/leak-lab/vpn.ts'
import { wireguardMissing } from '../support/leak-lab/wireguard-client.ts'
import { planWireguard } from '../support/leak-lab/wireguard-road.ts'
import { UNI_DEPTHS, UNI_UNSEEN } from './cases/depth.ts'
import { GAL_CASES } from './cases/gal.ts'
import { GAL_DEPTHS } from './cases/gal-depth.ts'
import { listRoadMutants } from './cases/road-depth.ts'
import { SOL_CASES } from './cases/sol.ts'
import { SOL_DEPTHS } from './cases/sol-depth.ts'
import { UNI_CASES } from './cases/uni.ts'

const ROUTERS = [
  {
    layer: 'uni',
    cases: UNI_CASES,
    depths: UNI_DEPTHS,
    sample: {
      'early: tcp dport 0 drop': ['caught', 'A12'],
      'early: ip option lsrr exists drop': ['caught in depth', 'A12'],
    },
  },
  {
    layer: 'gal',
    cases: GAL_CASES,
    depths: GAL_DEPTHS,
    sample: {
      'forward: tcp flags syn tcp option maxseg size set rt mtu': ['caught', 'E8'],
      'early: iifname "tunnel" ip saddr 10.1.1.0/24 drop': ['caught in depth', 'A11'],
    },
  },
  {
    layer: 'sol',
    cases: SOL_CASES,
    depths: SOL_DEPTHS,
    sample: {
      'early: iifname "lan" ip daddr { 10.1.1.255, 224.0.0.0/3 } drop': ['caught', 'F1'],
      'forward: type filter hook forward priority filter; policy drop;': ['caught in depth', 'D40'],
    },
  },
] as const

function torMissing(): string | false {
  return existsSync('/usr/bin/tor') ? false : 'Tor is not installed'
}

// Three at a time, since each waits most of the time.
describe('mutants', { concurrency: ROUTERS.length }, () => {
  for (const { layer, cases, depths, sample } of ROUTERS) {
    const missing = labMissing() || (layer === 'gal' && vpnMissing()) || (layer === 'sol' && torMissing())
    describe(`mutants of router-${layer}`, { skip: missing }, () => {
      let files: RouterFiles
      let verdicts: Ahead<{ readonly lab: Lab; readonly runner: MutantRunner }, Verdict>
      before(async () => {
        files = await readRouterFiles(`router-${layer}`, layer, { wan: WAN_MAC, lan: LAN_MAC })
        const mutants = listMutants(files, depths).filter(({ name }) => name in sample)
        const jobs = mutants.map((one) => ({
          key: one.name,
          run: async ({ runner }: { readonly runner: MutantRunner }) => runner.run(one),
        }))
        verdicts = new Ahead(jobs, {
          most: LABS,
          async start() {
            const lab = await startLab({ vpn: layer === 'gal' && 'openvpn' })
            return { lab, runner: new MutantRunner(lab, files, cases) }
          },
          end: async ({ lab }) => lab.stop(),
        })
      })
      after(async () => verdicts.stop())

      test('are as many as the files have lines of rules and settings, and each can be made', () => {
        const rules = (files.medium['nftables.nft'] ?? '').split('\n').filter((line) => /^ {4}(?!type)\S/.test(line))
        const settings = (files.image['usr/lib/vmpkg/boot']?.[0] ?? '').match(/^ +setting net\//gm) ?? []
        const mutants = listMutants(files, depths)
        const [drops, tables, comments] = [3, 2, rules.filter((line) => line.trim().startsWith('#')).length]
        assert.equal(mutants.length, rules.length - comments + drops + tables + settings.length)
        for (const { change, behind } of mutants) assert.notDeepEqual(withChanges(files, [change, ...behind]), files)
        for (const line of Object.keys(UNI_UNSEEN))
          assert.ok(
            mutants.some(({ name }) => name === line),
            line,
          )
      })

      for (const [name, [kind, id]] of Object.entries(sample)) {
        test(`${name} is ${kind}`, async () => {
          const verdict = await verdicts.get(name)
          assert.ok(verdict.kind !== 'survived', 'no case notices')
          assert.equal(verdict.kind, kind)
          assert.ok(verdict.by.includes(id), verdict.by.join(', '))
        })
      }
    })
  }
})

for (const [what, plan, skip] of [
  ['OpenVPN', planOpenvpn, vpnMissing()],
  ['WireGuard', planWireguard, wireguardMissing()],
] as const) {
  test(`each rule that a VPN server of ${what} adds is a mutant, once for all its clients`, { skip }, async () => {
    const macs = { wan: WAN_MAC, lan: LAN_MAC }
    const road = await plan()
    const files = await readRouterFiles('router-uni', 'uni', macs, { road })
    const mutants = listRoadMutants(files, await readRouterFiles('router-uni', 'uni', macs), road)
    const chains = mutants.map(({ name }) => name.split(':')[0])
    assert.deepEqual(chains, ['early', 'early', 'early', 'early', 'input', 'forward', 'forward', 'forward', 'forward'])
    for (const { change, behind } of mutants) assert.notDeepEqual(withChanges(files, [change, ...behind]), files)
  })
}
