/** Renders a package's network template, stamps and gates it, and defines it under the journal. */

import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { CapabilityName } from '../model/capability.ts'
import type { NetworkFacts } from '../model/libvirt-facts.ts'
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { renderNetwork } from '../render/network.ts'
import { verifyNetworkPolicy } from '../render/network-policy.ts'
import { stampNetwork } from '../render/stamp.ts'
import type { Transaction } from '../state/journal.ts'
import type { LoadedPackage } from './package-store.ts'
import { intend } from './recover.ts'
import { readPartials } from './templates.ts'

export interface NetworkInput {
  readonly pkg: LoadedPackage
  readonly role: 'lan' | 'uplink'
  readonly context: NetworkTemplateContext
  readonly grants: readonly CapabilityName[]
  readonly facts: NetworkFacts
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` `POLICY_REFUSED` `LIBVIRT_FAILED` */
export async function defineNetwork(connect: Connect, transaction: Transaction, input: NetworkInput): Promise<void> {
  const { pkg, role, context, grants, facts } = input
  const path = role === 'lan' ? pkg.manifest.templates.network : pkg.manifest.templates.uplink
  const template = path === undefined ? undefined : pkg.templates.get(path)
  if (template === undefined)
    throw new VmpkgError('TEMPLATE_INVALID', `${pkg.manifest.name} has no template for its ${role} network`)
  const rendered = renderNetwork({ template, partials: await readPartials(), context })
  const verified = verifyNetworkPolicy({
    xml: rendered,
    context,
    kind: role,
    capabilities: pkg.manifest.capabilities,
    granted: grants,
  })
  const { name, uuid } = context.network
  intend(transaction, { kind: 'remove-network', uuid, name })
  const network = await connect.networkDefineXML({ xml: stampNetwork(verified, facts) })
  await network.create()
}
