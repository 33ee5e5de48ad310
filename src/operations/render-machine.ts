/**
 * From a package and a plan to what libvirt and the guest get: the files of the configuration medium and the domain's XML,
 * rendered, stamped with our metadata and passed through the policy gate.
 */
import type { Identity } from '../domain/identity.ts'
import { VmpkgError } from '../errors.ts'
import type { GrantName } from '../model/capability.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { ParameterValue, ParameterValues } from '../model/manifest.ts'
import type { DomainTemplateContext, NicContext, RouterContext } from '../model/template-context.ts'
import { renderDomain } from '../render/domain.ts'
import { verifyDomainPolicy } from '../render/domain-policy.ts'
import { renderGuestFile } from '../render/guest.ts'
import { stampDomain } from '../render/stamp.ts'
import type { LoadedPackage } from './package-store.ts'
import { readPartials } from './templates.ts'

/** Name of the rule file on the medium, whose digest the guest attests. */
const RULE_FILE = 'nftables.nft'

export interface MachineInput {
  readonly pkg: LoadedPackage
  readonly parameters: ParameterValues
  readonly grants: readonly GrantName[]
  readonly name: string
  readonly identity: Identity
  readonly nics: readonly NicContext[]
  readonly router?: RouterContext
  readonly host: DomainTemplateContext['host']
  readonly images: DomainTemplateContext['images']
  readonly overlay?: DomainTemplateContext['overlay']
  /** UEFI variables; for templates that boot by firmware. */
  readonly nvram?: string
  readonly medium: string
  readonly serialLog?: string
}

export interface GuestFiles {
  /** Flat names on the medium. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Routers: digest of the rule file. */
  readonly rules: Sha256 | undefined
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` */
export function renderGuestFiles({ pkg, identity, nics, router, parameters }: MachineInput): GuestFiles {
  const context = {
    identity,
    nics,
    ...byRole(nics),
    ...(router === undefined ? {} : { router }),
    params: plainValues(parameters),
  }
  const names = Object.keys(pkg.manifest.parameters)
  const files = new Map<string, Uint8Array>()
  for (const [path, bytes] of pkg.guestFiles) {
    const name = path.replace(/\.hbs$/, '')
    const isTemplate = name !== path
    files.set(
      name,
      isTemplate ? Buffer.from(renderGuestFile(path, Buffer.from(bytes).toString(), context, names)) : bytes,
    )
  }
  const rules = files.get(RULE_FILE)
  return { files, rules: rules === undefined ? undefined : sha256(rules) }
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` `XML_INVALID` `POLICY_REFUSED` `HOST_UNSUPPORTED` */
export async function renderMachine(input: MachineInput, facts: DomainFacts): Promise<string> {
  const { pkg, name, identity, nics, host, images, overlay, nvram, medium, serialLog, parameters } = input
  const { manifest } = pkg
  const template = pkg.templates.get(manifest.templates.domain)
  if (template === undefined) throw new VmpkgError('TEMPLATE_INVALID', `${manifest.name} has no domain template`)
  if (host.firmware === undefined && template.includes('host.firmware')) {
    throw new VmpkgError('HOST_UNSUPPORTED', `${manifest.name} boots by UEFI, and this host has no firmware for it`, {
      hint: 'Install it: apt-get install ovmf',
    })
  }
  const values = plainValues(parameters)
  const context: DomainTemplateContext = {
    domain: { name, uuid: identity.uuid, memoryKib: memoryKib(values), vcpus: Number(values['vcpus'] ?? 1) },
    host,
    params: values,
    images,
    nics,
    ...byRole(nics),
    medium,
    ...(overlay === undefined ? {} : { overlay }),
    ...(nvram === undefined ? {} : { nvram }),
    ...(serialLog === undefined ? {} : { serialLog }),
  }
  const rendered = renderDomain({
    template,
    partials: await readPartials(),
    context,
    parameterNames: Object.keys(manifest.parameters),
  })
  const verified = verifyDomainPolicy({
    xml: rendered,
    context,
    capabilities: manifest.capabilities,
    granted: input.grants,
  })
  return stampDomain(verified, {
    title: `${name} (vmpkg ${manifest.name} ${manifest.version})`,
    description: manifest.description.trim(),
    facts,
    definitions: manifest.parameters,
    ...(manifest.os === undefined ? {} : { osId: manifest.os.id }),
  })
}

function plainValues(parameters: ParameterValues): Readonly<Record<string, ParameterValue>> {
  return Object.fromEntries(Object.entries(parameters).map(([name, { value }]) => [name, value]))
}

function byRole(nics: readonly NicContext[]): { wan?: NicContext; lan?: NicContext } {
  const wan = nics.find(({ role }) => role === 'wan')
  const lan = nics.find(({ role }) => role === 'lan')
  return { ...(wan === undefined ? {} : { wan }), ...(lan === undefined ? {} : { lan }) }
}

const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024

function memoryKib(values: Readonly<Record<string, ParameterValue>>): number {
  const bytes = values['memory']
  return Math.ceil((typeof bytes === 'number' ? bytes : DEFAULT_MEMORY_BYTES) / 1024)
}
