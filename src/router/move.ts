/**
 * Whether a machine may stand on another router's LAN (leak cases H3 and H4): one router above each, no loop, and never
 * nearer to the outside than its package asks for. Pure.
 */
import { VmpkgError } from '../errors.ts'
import type { Layer } from '../model/line.ts'

export interface Member {
  readonly name: string
  /** Whose LAN it stands on. */
  readonly net: string | undefined
  /** Of a router: the LAN that is its own. */
  readonly instance?: string | undefined
}

export interface MoveRequest {
  readonly machine: Member
  /** Name of a router or of a LAN. */
  readonly to: string
  /** What its package says that its card is on. */
  readonly needs: Layer | 'uplink' | undefined
  /** A client may go nearer to the outside than its package asks for. */
  readonly force: boolean
}

export interface Surroundings {
  readonly lans: readonly { readonly name: string; readonly layer: Layer | undefined }[]
  readonly routers: readonly Member[]
}

const ORDER: readonly Layer[] = ['uni', 'gal', 'sol']

/** @returns the LAN. @throws {VmpkgError} `NETWORK_UNAVAILABLE` */
export function planMove({ lans, routers }: Surroundings, { machine, to, needs, force }: MoveRequest): string {
  const named = routers.find(({ name }) => name === to)
  const lan = lans.find(({ name }) => name === (named?.instance ?? to))
  const own = routers.filter(({ instance }) => instance !== undefined && instance === lan?.name)
  const [upper, ...others] = own
  if (lan === undefined || upper === undefined) {
    const offer = lans.filter(({ name }) => routers.some(({ instance }) => instance === name)).map(({ name }) => name)
    throw refused(
      `There is no router’s LAN ${JSON.stringify(to.slice(0, 40))}`,
      `There is ${offer.join(', ') || 'none'}.`,
    )
  }
  if (others.length > 0) throw refused(`${lan.name} has several routers: ${own.map(({ name }) => name).join(', ')}`)
  const isRouter = machine.instance !== undefined
  if (isRouter && isBehind(routers, upper, machine)) {
    throw refused(
      upper.name === machine.name
        ? `${machine.name} cannot stand behind itself`
        : `${upper.name} stands behind ${machine.name}: each would be behind the other`,
    )
  }
  if (isRouter && needs !== undefined && lan.layer !== needs) {
    throw refused(
      `${machine.name} stands behind a router of layer ${needs}, and ${lan.name} is of ${lan.layer ?? 'none'}`,
    )
  }
  if (!isRouter && !force && isNearer(lan.layer, needs)) {
    throw refused(
      `${machine.name} is for layer ${needs ?? ''} and what is behind it, and ${lan.name} is of layer ${lan.layer ?? 'none'}`,
      'Its package asks for that: with --force it goes there all the same.',
    )
  }
  return lan.name
}

/** Whether a LAN is nearer to the outside than is asked for. */
export function isNearer(layer: Layer | undefined, needs: Layer | 'uplink' | undefined): boolean {
  if (needs === undefined || needs === 'uplink') return false
  return layer === undefined || ORDER.indexOf(layer) < ORDER.indexOf(needs)
}

/** Whether `router` is `other`, or stands behind it by whatever way. */
function isBehind(routers: readonly Member[], router: Member, other: Member): boolean {
  const seen = new Set<string>()
  const waiting = [router]
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (one.name === other.name || (one.net !== undefined && one.net === other.instance)) return true
    if (seen.has(one.name)) continue
    seen.add(one.name)
    const { net } = one
    waiting.push(...routers.filter(({ instance }) => instance !== undefined && instance === net))
  }
  return false
}

function refused(message: string, hint = 'vmpkg net graph shows who stands where.'): VmpkgError {
  return new VmpkgError('NETWORK_UNAVAILABLE', message, { hint })
}
