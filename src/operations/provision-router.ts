/**
 * Defines a router: its LAN, where needed an uplink network, its medium and its domain; all under one journal entry, so
 * that a failure or a kill leaves nothing. Starting is `start.ts`.
 */
import { dirname } from 'node:path'
import { newIdentity, newMac, newUuid } from '../domain/identity.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { CapabilityName } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { NicContext } from '../model/template-context.ts'
import { planLan, routerContext } from '../router/plan.ts'
import type { Transaction } from '../state/journal.ts'
import { defineNetwork } from './define-network.ts'
import { chooseHypervisor } from './hypervisor.ts'
import { imagePaths } from './images.ts'
import { machineFiles } from './machine-files.ts'
import type { LoadedPackage } from './package-store.ts'
import { intend } from './recover.ts'
import { type MachineInput, renderGuestFiles, renderMachine } from './render-machine.ts'
import { readTaken } from './taken.ts'
import { planWan } from './uplink.ts'
import type { Workspace } from './workspace.ts'

export interface RouterRequest {
  readonly pkg: LoadedPackage
  /** Name of the source it came from. */
  readonly source: string
  readonly parameters: ParameterValues
  readonly grants: readonly CapabilityName[]
}

/** @throws {VmpkgError} what planning, rendering, the gate and libvirt refuse */
export async function provisionRouter(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  { pkg, source, parameters, grants }: RouterRequest,
): Promise<Machine> {
  const { randomness, clock, processes, signal, emit } = workspace.outside
  const { manifest, line } = pkg
  const { layer } = manifest
  if (layer === undefined) throw new VmpkgError('MANIFEST_INVALID', `${line.name} is a router without a layer`)
  emit({ type: 'stage-started', stage: 'define', subject: line.name })
  const taken = await readTaken(workspace, connect)
  const lan = planLan(layer, taken)
  const wan = await planWan(workspace, connect, String(parameters['uplink']?.value ?? 'auto'), {
    ...taken,
    subnets: [...taken.subnets, lan.cidr],
  })
  const owner = {
    package: line.name,
    version: line.version,
    digest: line.package.sha256,
    origin: source,
    createdAt: clock.now().toISOString(),
  }
  if (wan.define !== undefined) {
    const { cidr, ...context } = wan.define
    await defineNetwork(connect, transaction, {
      pkg,
      role: 'uplink',
      context,
      grants,
      facts: { ...owner, role: 'uplink', cidr },
    })
  }
  const { instance, bridge, cidr } = lan
  const network = { name: instance, uuid: newUuid(randomness), bridge, mac: newMac(randomness) }
  await defineNetwork(connect, transaction, {
    pkg,
    role: 'lan',
    context: { network },
    grants,
    facts: { ...owner, role: 'lan', cidr, layer, instance },
  })

  const identity = newIdentity(line.name, randomness)
  const wanNic: NicContext = { role: 'wan', ...wan.nic, link: 'up', isolated: false }
  const lanNic: NicContext = { role: 'lan', mac: newMac(randomness), network: instance, link: 'down', isolated: false }
  const files = machineFiles(workspace.connectionPaths, identity.uuid)
  const input: MachineInput = {
    pkg,
    parameters,
    grants,
    name: line.name,
    identity,
    nics: [wanNic, lanNic],
    router: routerContext(layer, lan, { wan: wanNic.mac, lan: lanNic.mac }),
    host: await chooseHypervisor(workspace, connect),
    images: imagePaths(workspace, line),
    medium: files.medium,
    serialLog: files.log,
  }
  const guest = renderGuestFiles(input)
  const xml = await renderMachine(input, {
    ...owner,
    kind: line.kind,
    layer,
    instance,
    ephemeral: false,
    medium: files.medium,
    serialLog: files.log,
    parameters,
    ...(guest.rules === undefined ? {} : { rules: guest.rules }),
    lanMac: lanNic.mac,
  })
  intend(transaction, { kind: 'remove-machine-files', uuid: identity.uuid })
  await makeFolder(dirname(files.medium))
  await writeMedium({ files: guest.files, target: files.medium, processes, signal })
  intend(transaction, { kind: 'remove-domain', uuid: identity.uuid, name: line.name })
  await connect.domainDefineXML({ xml, flags: ['validate'] })
  emit({ type: 'stage-finished', stage: 'define', subject: `machine ${line.name} and network ${instance} (${cidr})` })
  return getMachine(connect, line.name)
}
