/**
 * Puts a machine on another router's LAN, never on two at one time (leak case H1). A client goes while it runs, with its
 * link down meanwhile; a router goes while it is stopped, and the routers above follow: the new one first, then the old.
 */
import { readCards } from '../domain/cards.ts'
import { getMachine, listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { findLink, setLink } from '../domain/link.ts'
import { moveCard } from '../domain/move-card.ts'
import { formatPlace, recordPlace } from '../domain/place.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { Layer } from '../model/line.ts'
import { type Member, planMove } from '../router/move.ts'
import type { DefinitionChange } from '../state/history.ts'
import { ensureSilence } from './host-silence.ts'
import { findManifest, loadPackage } from './package-store.ts'
import { requireFreeAddress } from './plan-card.ts'
import { intend, transact } from './recover.ts'
import { applyRedefinition, describeConflicts, planRedefinition } from './redefine-router.ts'
import type { RouterRequest } from './router-definition.ts'
import { refuseInSession } from './session-mode.ts'
import { Settled } from './settled.ts'
import { closeForwards } from './stop.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface NetMoveRequest {
  readonly machine: string
  /** A router or its LAN. */
  readonly to: string
  readonly force: boolean
  readonly dryRun: boolean
}

export interface NetMove {
  readonly machine: string
  readonly from: string | undefined
  readonly to: string
  readonly changed: boolean
}

/**
 * @throws {VmpkgError} `HOST_UNSUPPORTED` `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `NETWORK_UNAVAILABLE` where it may not stand there, `DOMAIN_STATE`
 * for a router that runs, `DEFINITION_CONFLICT`, and what libvirt refuses
 */
export async function moveMachine(workspace: Workspace, request: NetMoveRequest): Promise<NetMove> {
  refuseInSession(workspace, 'a card stays on the LAN that it was made for')
  const connect = await workspace.connect()
  const machine = await getMachine(connect, request.machine)
  const { name, facts } = machine
  const to = await planTarget(workspace, connect, machine, request)
  const result = { machine: name, from: facts.net, to, changed: facts.net !== to }
  if (facts.kind === 'router') {
    if (result.changed && (await machine.domain.isActive())) {
      throw new VmpkgError('DOMAIN_STATE', `${name} runs: a router moves while it is stopped`, {
        hint: `vmpkg stop --cascade ${name}, move it, then vmpkg start ${name}.`,
      })
    }
    if (result.changed && !request.dryRun) await moveRouter(workspace, connect, machine, to)
    return result
  }
  if (facts.forwards !== undefined && result.changed) {
    throw new VmpkgError('NETWORK_UNAVAILABLE', `Ports of the router of ${facts.net} lead to ${name}`, {
      hint: `vmpkg port-forward remove ${name}, then move it.`,
    })
  }
  if (!request.dryRun) {
    await moveClient(workspace, connect, machine, to)
    // Also where nothing moved: a run that was killed may have left the former router's rules as they were.
    const { kind } = facts
    for (const net of new Set([facts.net ?? to, to])) await closeForwards(workspace, { net, kind })
  }
  return result
}

async function planTarget(
  workspace: Workspace,
  connect: Connect,
  { name, facts }: Machine,
  { to, force }: NetMoveRequest,
): Promise<string> {
  const lans = (await listOwnNetworks(connect)).filter((one) => one.facts.role === 'lan')
  const routers = (await listMachines(connect)).filter((one) => one.facts.kind === 'router')
  const known = lans.map((one) => ({ name: one.name, layer: one.facts.layer }))
  const wanted = (await findManifest(workspace, facts.digest))?.capabilities.find((one) => one.name === 'network')?.wan
  const now: Layer | undefined = known.find((one) => one.name === facts.net)?.layer
  const self: Member = { name, net: facts.net, instance: facts.kind === 'router' ? facts.instance : undefined }
  return planMove(
    {
      lans: known,
      routers: routers.map((one) => ({ name: one.name, net: one.facts.net, instance: one.facts.instance })),
    },
    // Of a package that is gone nothing is known but where its machine stands.
    { machine: self, to, needs: wanted ?? now, force },
  )
}

/** Also where a former run was killed before the link was up again. */
async function moveClient(workspace: Workspace, connect: Connect, machine: Machine, to: string): Promise<void> {
  const { domain, facts, xml, name } = machine
  const running = (await domain.isActive()) ? await domain.getXMLDesc() : undefined
  const isOnLan = (net: string | undefined): boolean => net !== undefined && [facts.net, to].includes(net)
  const cards = readCards(running ?? xml, undefined).filter(
    ({ place }) => place.kind === 'network' && isOnLan(place.name),
  )
  const [card] = cards
  if (card?.mac === undefined || cards.length > 1 || facts.net === undefined) {
    throw new VmpkgError(
      'NETWORK_UNAVAILABLE',
      `${name} has ${cards.length === 0 ? 'no card' : 'several cards'} to move`,
      {
        hint: 'vmpkg net graph shows what it is on.',
      },
    )
  }
  const {
    mac,
    link,
    place: { name: from },
  } = card
  if (facts.net !== to || from !== to) {
    await requireFreeAddress(connect, { network: to, mac, machine: name })
    const network = await connect.networkLookupByName({ name: to })
    const lans = await listOwnNetworks(connect)
    const cidrOf = (lan: string): string => lans.find((one) => one.name === lan)?.facts.cidr ?? '0.0.0.0/0'
    if (running !== undefined) {
      if (!(await network.isActive())) await network.create()
      await ensureSilence(workspace, connect)
    }
    await transact(workspace, { operation: 'net-move', subject: name }, async (transaction) => {
      intend(
        transaction,
        { kind: 'restore-place', uuid: domain.uuid, place: formatPlace(facts) },
        { kind: 'return-card', uuid: domain.uuid, mac, network: from, cidr: cidrOf(from), link },
      )
      await moveCard(domain, { mac, network: to, cidr: cidrOf(to) })
      await recordPlace(domain, { net: to })
      transaction.commit()
    })
  }
  const wanted = (await domain.isPersistent()) ? findLink(await domain.getXMLDesc({ flags: ['inactive'] }), mac) : link
  if (running !== undefined && wanted === 'up') await setLink(domain, mac, 'up')
}

/** The same as to install it anew with another uplink, without what its package has to do with that. */
async function moveRouter(workspace: Workspace, connect: Connect, machine: Machine, to: string): Promise<void> {
  const { name, facts } = machine
  const installed = workspace.installed.get(facts.package)
  const machines = await listMachines(connect)
  const upper = machines.find((one) => one.facts.kind === 'router' && one.facts.instance === to)
  const parameters = {
    ...installed.parameters,
    uplink: { value: `router:${upper?.name ?? to}`, origin: 'command line' as const },
  }
  const { line, source, grants } = installed
  const request: RouterRequest = {
    pkg: await loadPackage(workspace, line),
    source,
    parameters,
    grants: grants.map(grantName),
  }
  const [planned] = await planRedefinition(
    workspace,
    connect,
    request,
    { machine, networks: [] },
    { prefer: undefined, isMoved: true },
  )
  if (planned === undefined) throw new TypeError('a router without a definition')
  const { conflicts } = planned.merged
  if (conflicts.length > 0) {
    const texts = describeConflicts(name, conflicts)
    throw new VmpkgError(
      'DEFINITION_CONFLICT',
      `You and the move change the same:${texts.map((text) => `\n  ${text}`).join('')}`,
      {
        hint: 'Take your edit back with virsh edit first.',
        details: { conflicts: texts },
      },
    )
  }
  const former = findUpper(machines, facts)
  await transact(workspace, { operation: 'net-move', subject: name }, async (transaction) => {
    const definitions: DefinitionChange[] = []
    const settled = new Settled(workspace, transaction, definitions)
    definitions.push(await applyRedefinition(connect, transaction, planned))
    const moved = await getMachine(connect, name)
    await settled.above(moved.facts)
    if (former !== undefined) await settled.itself(former)
    transaction.commit(() => {
      const after = { ...installed, parameters }
      workspace.installed.put(after)
      for (const one of definitions) if (one.after !== undefined) workspace.definitions.put(one.after)
      for (const one of settled.definitions()) workspace.definitions.put(one)
      workspace.history.record(transaction.id, {
        packages: [{ name: line.name, before: installed, after }],
        definitions,
      })
    })
  })
}
