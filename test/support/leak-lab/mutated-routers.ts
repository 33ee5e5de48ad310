/** Every router whose lines are taken out one at a time: what it is around it, its cases, and which lines stand behind others. */
import { existsSync } from 'node:fs'
import type { Layer } from '../../../src/model/line.ts'
import { UNI_DEPTHS, UNI_UNSEEN } from '../../leaks/cases/depth.ts'
import { FORWARD_CASES, FORWARDS } from '../../leaks/cases/forwards.ts'
import { GAL_CASES } from '../../leaks/cases/gal.ts'
import { GAL_DEPTHS } from '../../leaks/cases/gal-depth.ts'
import { RELAY_CASES, RELAY_DEPTHS, TOR_ROUTER } from '../../leaks/cases/relays.ts'
import { listRoadMutants, roadMutantCases } from '../../leaks/cases/road-depth.ts'
import { SOL_CASES } from '../../leaks/cases/sol.ts'
import { SOL_DEPTHS } from '../../leaks/cases/sol-depth.ts'
import { UNI_CASES } from '../../leaks/cases/uni.ts'
import { LAN_MAC, type Lab, WAN_MAC } from './lab.ts'
import type { LeakCase } from './leak-case.ts'
import { type Depth, listMutants, type Mutant } from './mutants.ts'
import { type Around, readRouterFiles } from './router-files.ts'
import { MutantRunner } from './run-mutant.ts'
import { vpnMissing } from './vpn.ts'

interface MutatedRouter {
  readonly name: string
  readonly layer: Layer
  readonly cases: readonly LeakCase[]
  readonly depths: readonly Depth[]
  /** With it the file has further lines: only those are taken out. */
  readonly around?: Around
}

const ROUTERS: readonly MutatedRouter[] = [
  { name: 'uni', layer: 'uni', cases: UNI_CASES, depths: UNI_DEPTHS },
  { name: 'gal', layer: 'gal', cases: GAL_CASES, depths: GAL_DEPTHS },
  { name: 'sol', layer: 'sol', cases: SOL_CASES, depths: SOL_DEPTHS },
  { name: 'uni, ports', layer: 'uni', cases: FORWARD_CASES, depths: [], around: { forwards: FORWARDS } },
  { name: 'gal, relays', layer: 'gal', cases: RELAY_CASES, depths: RELAY_DEPTHS, around: { lowers: TOR_ROUTER } },
]

export interface Tried {
  readonly router: string
  readonly mutant: Mutant
  readonly runner: MutantRunner
}

/**
 * What this machine can try. Settings are those of one boot script, and tried with the first layer.
 * @param others labs with a client of the router's own server, for the lines that such a server adds; they come last
 */
export async function listTried(lab: Lab, others: readonly Lab[] = []): Promise<readonly Tried[]> {
  const all: Tried[] = []
  for (const { name, layer, cases, depths, around } of ROUTERS) {
    if (layer === 'gal' && vpnMissing() !== false) continue
    if ((layer === 'sol' || around?.lowers !== undefined) && !existsSync('/usr/bin/tor')) continue
    const macs = { wan: WAN_MAC, lan: LAN_MAC }
    const files = await readRouterFiles(`router-${layer}`, layer, macs, around)
    const plain = around === undefined ? [] : listMutants(await readRouterFiles(`router-${layer}`, layer, macs), [])
    const known = new Set(plain.map((mutant) => mutant.name))
    const runner = new MutantRunner(lab, files, cases)
    for (const mutant of listMutants(files, depths)) {
      const isUnseen = Object.hasOwn(UNI_UNSEEN, mutant.name)
      const isTried = name === 'uni' ? !isUnseen : mutant.change.file === 'nftables.nft'
      if (isTried && !known.has(mutant.name)) all.push({ router: name, mutant, runner })
    }
  }
  for (const other of others) {
    const { road } = other
    if (road === undefined) continue
    const macs = { wan: WAN_MAC, lan: LAN_MAC }
    const files = await readRouterFiles('router-uni', 'uni', macs, { road })
    const runner = new MutantRunner(other, files, roadMutantCases(road))
    const router = { openvpn: 'uni, OpenVPN', wireguard: 'uni, WireGuard' }[road.kind]
    const mutants = listRoadMutants(files, await readRouterFiles('router-uni', 'uni', macs), road)
    all.push(...mutants.map((mutant) => ({ router, mutant, runner })))
  }
  return all
}
