/** Renders a package's network template, stamps and gates it, and defines it under the journal. */

import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Capability } from '../model/capability.ts'
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { choicesOf } from '../render/choices.ts'
import { chooseForNetwork } from '../render/chosen.ts'
import { type RenderNetworkInput, renderNetwork as renderTemplate } from '../render/network.ts'
import { findMissingNetworkGrants, type NetworkPolicyInput, verifyNetworkPolicy } from '../render/network-policy.ts'
import { stampNetwork } from '../render/stamp.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { Transaction } from '../state/journal.ts'
import { isSession } from './connection-name.ts'
import { templateValues } from './file-parameters.ts'
import { ensureSilence } from './host-silence.ts'
import { readReleases } from './hypervisor.ts'
import { preflightNetwork } from './preflight.ts'
import { intend } from './recover.ts'
import { type NetworkPlan, networkFacts, type RouterRequest } from './router-definition.ts'
import { readPartials } from './templates.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface NetworkInput {
  readonly request: RouterRequest
  readonly plan: NetworkPlan
  readonly createdAt: string
}

export interface NetworkDraft extends RenderNetworkInput {
  readonly context: NetworkTemplateContext
  /** Path of the template in the package. */
  readonly path: string
  /** Before the gate and without our metadata. */
  readonly rendered: string
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` `POLICY_REFUSED` `HOST_UNSUPPORTED` a feature of a newer release */
export async function renderNetwork(connect: Connect, input: NetworkInput): Promise<string> {
  return finishNetwork(input, await draftNetwork(connect, input))
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` `XML_INVALID` `HOST_UNSUPPORTED` a feature of a newer release */
export async function draftNetwork(connect: Connect, { request, plan }: NetworkInput): Promise<NetworkDraft> {
  const { manifest, templates } = request.pkg
  const { role, network } = plan
  const path = role === 'lan' ? manifest.templates.network : manifest.templates.uplink
  const template = path === undefined ? undefined : templates.get(path)
  if (path === undefined || template === undefined)
    throw new VmpkgError('TEMPLATE_INVALID', `${manifest.name} has no template for its ${role} network`)
  const definitions = manifest.parameters
  const params = templateValues(definitions, request.parameters)
  const draft = {
    template,
    partials: await readPartials(),
    context: {
      network,
      host: await readReleases(connect),
      params,
      ...chooseForNetwork({ definitions, values: params }),
    },
    parameterNames: Object.keys(definitions),
  }
  return { ...draft, path, rendered: renderTemplate(draft) }
}

/** The gate, then what vmpkg itself knows. @throws {VmpkgError} `POLICY_REFUSED` `XML_INVALID` */
export function finishNetwork(input: NetworkInput, draft: NetworkDraft): string {
  const { request, plan, createdAt } = input
  return stampNetwork(verifyNetworkPolicy(gateInput(input, draft)), networkFacts(request, plan, createdAt))
}

/** Declared capabilities that the network needs and that are not granted yet. @throws {VmpkgError} `POLICY_REFUSED` */
export function findNetworkGrants(input: NetworkInput, draft: NetworkDraft): readonly Capability[] {
  return findMissingNetworkGrants(gateInput(input, draft))
}

function gateInput({ request, plan }: NetworkInput, { rendered, context }: NetworkDraft): NetworkPolicyInput {
  const { parameters, pkg, grants } = request
  const { manifest } = pkg
  return {
    xml: rendered,
    context,
    kind: plan.role,
    choices: choicesOf({ parameters, definitions: manifest.parameters, context }),
    capabilities: manifest.capabilities,
    granted: grants,
  }
}

/** @throws {VmpkgError} `SCHEMA_INVALID` `HOST_UNSUPPORTED` `NETWORK_EXISTS` `ADDRESS_UNAVAILABLE` `LIBVIRT_FAILED` and what `renderNetwork` refuses */
export async function defineNetwork(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  input: NetworkInput,
): Promise<SavedDefinition> {
  const rendered = await renderNetwork(connect, input)
  await validateDefinition(workspace, connect, 'network', rendered)
  await preflightNetwork(workspace, connect, rendered, { until: 'start' })
  const { name, uuid } = input.plan.network
  intend(transaction, { kind: 'remove-network', uuid, name })
  const network = await connect.networkDefineXML({ xml: rendered })
  // Without rights libvirt makes no bridge of it: there it says what is planned, and sockets are the LAN.
  if (!isSession(workspace.connectionName)) await network.create()
  await ensureSilence(workspace, connect)
  const defined = await network.getXMLDesc({ flags: ['inactive'] })
  const context = { ...input.plan }
  return {
    uuid,
    kind: 'network',
    name,
    package: input.request.pkg.line.name,
    rendered,
    defined,
    context,
    xml: defined,
    autostart: false,
  }
}
