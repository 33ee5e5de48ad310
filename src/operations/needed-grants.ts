/** The optional capabilities that machines need for what the user chose, found by rendering them and asking the gate. */
import type { Machine, OwnNetwork } from '../domain/inventory.ts'
import { isVmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type Capability, grantName, isGrantedBy, isOptional } from '../model/capability.ts'
import { draftNetwork, findNetworkGrants } from './define-network.ts'
import { machineFiles } from './machine-files.ts'
import { placeInput } from './place-input.ts'
import { draftMachine, findMachineGrants, type MachineDraft, type MachineInput } from './render-machine.ts'
import { networkPlanOf, type RouterRequest, routerInput, routerPlanOf } from './router-definition.ts'
import { planRouter } from './router-plan.ts'
import type { Workspace } from './workspace.ts'

/** Those that every machine of the package needs, and those that this one does. @throws {VmpkgError} `POLICY_REFUSED` */
export function findMissing(input: MachineInput, draft: MachineDraft): readonly Capability[] {
  const { capabilities } = input.pkg.manifest
  const always = capabilities.filter((one) => !isOptional(one) && !isGrantedBy(one, input.grants))
  const grants = [...input.grants, ...always.map(grantName)]
  const chosen = findMachineGrants({ ...input, grants }, draft)
  return capabilities.filter((one) => always.includes(one) || chosen.includes(one))
}

/**
 * A router that is not there yet is rendered for an imagined place, on the usual uplink: what its uplink needs is told by
 * the uplink's name. Empty where it cannot be rendered yet: what is in the way is refused, with its own reason, when it is
 * defined, before anything is.
 */
export async function findRouterGrants(
  workspace: Workspace,
  connect: Connect,
  request: RouterRequest,
  { machine, networks }: { readonly machine: Machine | undefined; readonly networks: readonly OwnNetwork[] },
): Promise<readonly Capability[]> {
  try {
    const saved = machine === undefined ? undefined : workspace.definitions.find(machine.domain.uuid)
    const place =
      machine === undefined || saved === undefined
        ? await imagine(workspace, connect, request)
        : {
            plan: routerPlanOf(saved),
            uuid: machine.domain.uuid,
            networks: networks
              .flatMap(({ network }) => workspace.definitions.find(network.uuid) ?? [])
              .map(networkPlanOf),
          }
    const name = machine?.name ?? request.pkg.line.name
    const { medium } = machineFiles(workspace.connectionPaths, place.uuid)
    const createdAt = workspace.outside.clock.now().toISOString()
    const planned = await routerInput(workspace, connect, request, { ...place, name, medium, createdAt })
    const input = await placeInput(workspace, planned)
    const missing = [...findMachineGrants(input, await draftMachine(input))]
    for (const plan of place.networks) {
      const network = { request, plan, createdAt }
      missing.push(...findNetworkGrants(network, await draftNetwork(connect, network)))
    }
    return [...new Set(missing)]
  } catch (error) {
    if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
    return []
  }
}

async function imagine(
  workspace: Workspace,
  connect: Connect,
  { pkg, parameters }: RouterRequest,
): Promise<Awaited<ReturnType<typeof planRouter>>> {
  const { uplink: _, ...rest } = parameters
  return planRouter(workspace, connect, { pkg, parameters: rest })
}
