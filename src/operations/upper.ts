/** Where a router goes that stands behind another: on whose LAN, at which address there. */
import { listMachines, listOwnNetworks, type Machine, runningFacts } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Layer } from '../model/line.ts'
import type { ForwardedContext, LowerContext } from '../model/template-context.ts'
import { findForwards } from '../router/forward.ts'
import { planPlace, type WanPlan } from '../router/plan.ts'
import { findLowers, type KnownRouter } from '../router/policy.ts'

export interface UpperRequest {
  /** The package's name. */
  readonly name: string
  readonly layer: Layer
  /** The layer that its WAN belongs to. */
  readonly wanted: Layer
  /** Of the parameter: `auto`, `router:NAME` or `network:NAME`. */
  readonly value: string
}

const ORDER: readonly Layer[] = ['uni', 'gal', 'sol']

interface Lan {
  readonly name: string
  readonly cidr: string
  readonly layer: Layer | undefined
  readonly router: Machine | undefined
}

/**
 * The LAN of the one router of the layer above, or of the one that was named. Layers go down from uni to gal to sol, so
 * there is no cycle: a router never stands behind itself or one of its own layer.
 * @throws {VmpkgError} `NETWORK_UNAVAILABLE` `ADDRESS_UNAVAILABLE` `MANIFEST_INVALID`
 */
export async function planUpper(connect: Connect, request: UpperRequest): Promise<WanPlan> {
  const { name, layer, wanted } = request
  if (ORDER.indexOf(wanted) >= ORDER.indexOf(layer)) {
    throw new VmpkgError(
      'MANIFEST_INVALID',
      `${name} is a ${layer} router and asks for the LAN of a ${wanted} router`,
      {
        hint: 'Layers go down: uni, gal, sol. Tell the publisher.',
      },
    )
  }
  const machines = await listMachines(connect)
  const own = (await listOwnNetworks(connect)).filter(({ facts }) => facts.role === 'lan')
  const lans = own.map(
    ({ name: lan, facts }): Lan => ({
      name: lan,
      cidr: facts.cidr,
      layer: facts.layer,
      router: machines.find((one) => one.facts.kind === 'router' && one.facts.instance === lan),
    }),
  )
  const lan = chooseLan(request, lans)
  const others = machines.filter(({ facts }) => facts.net === lan.name && facts.package !== name)
  return planPlace(
    lan.name,
    lan.cidr,
    others.flatMap(({ facts }) => facts.wanAddress ?? []),
  )
}

function chooseLan({ name, layer, wanted, value }: UpperRequest, lans: readonly Lan[]): Lan {
  const fitting = lans.filter((one) => one.layer === wanted && one.router !== undefined)
  const words = fitting.map(({ router, name: lan }) => `router:${router?.name ?? lan}`).join(', ')
  const offer = fitting.length === 0 ? `vmpkg install router-${wanted} makes one.` : `There is ${words}.`
  const refuse = (message: string): VmpkgError => new VmpkgError('NETWORK_UNAVAILABLE', message, { hint: offer })
  if (value === 'auto') {
    const [only, ...others] = fitting
    if (only === undefined) throw refuse(`There is no ${wanted} router that ${name} could stand behind`)
    if (others.length === 0) return only
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} could stand behind several routers: ${words}`, {
      hint: `Choose one: --set ${name}:uplink=${words.split(', ')[0]}`,
    })
  }
  const [kind = '', chosen = ''] = value.split(/:(.*)/s)
  if (kind !== 'router' && kind !== 'network') {
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} stands behind a ${wanted} router, never on ${value}`, {
      hint: 'Its WAN takes auto or router:NAME.',
    })
  }
  const isIt = (one: Lan): boolean => one.name === chosen || (kind === 'router' && one.router?.name === chosen)
  const lan = lans.find(isIt)
  if (lan === undefined) throw refuse(`There is no router ${JSON.stringify(chosen)} with a LAN of its own`)
  if (lan.router?.facts.package === name) throw refuse(`${name} cannot stand behind itself`)
  if (lan.layer === wanted && lan.router !== undefined) return lan
  throw refuse(
    `${lan.router?.name ?? lan.name} is a ${lan.layer ?? 'foreign'} router: ${name}, of layer ${layer}, stands behind ${wanted}`,
  )
}

/** The router whose LAN that is. */
export function findUpper(machines: readonly Machine[], { net, kind }: DomainFacts): Machine | undefined {
  return kind === 'router' ? findRouter(machines, net) : undefined
}

/** Routers that stand behind this one. */
export function listLowers(machines: readonly Machine[], { facts: { instance } }: Machine): readonly Machine[] {
  if (instance === undefined) return []
  return machines.filter(({ facts }) => facts.kind === 'router' && facts.net === instance)
}

/** What a router has to let through for those behind it, by what libvirt knows of them now. */
export async function readLowers(connect: Connect, { facts: { instance } }: Machine): Promise<readonly LowerContext[]> {
  if (instance === undefined) return []
  const routers = (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')
  const known = await Promise.all(
    routers.map(async (one): Promise<KnownRouter> => ({ ...one, running: await runningFacts(one) })),
  )
  return findLowers(instance, known)
}

/** Ports that lead to clients on its LAN, by the same. Only the first layer forwards any. */
export async function readForwards(connect: Connect, { facts }: Machine): Promise<readonly ForwardedContext[]> {
  const { instance, layer } = facts
  return instance === undefined || layer !== 'uni' ? [] : findForwards(instance, await listMachines(connect))
}

/** The router whose LAN this network is. */
export function findRouter(machines: readonly Machine[], net: string | undefined): Machine | undefined {
  return machines.find(({ facts }) => facts.kind === 'router' && net !== undefined && facts.instance === net)
}
