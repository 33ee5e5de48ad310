/**
 * The data that templates see: a context with every name it may have, so that an unknown name is an error and a known
 * one without a value is merely absent. Source of the names: model/template-context.ts.
 */
import type { ImageRole } from '../model/line.ts'
import type { ParameterValue } from '../model/manifest.ts'
import type {
  DomainTemplateContext,
  GuestTemplateContext,
  NetworkTemplateContext,
  NicContext,
} from '../model/template-context.ts'

const ROLES: readonly ImageRole[] = ['kernel', 'initrd', 'root', 'verity', 'disk']
type Scope = Readonly<Record<string, unknown>>

/** `parameterNames` are the declared ones: those without a value are absent, others unknown. */
export function domainScope(context: DomainTemplateContext, parameterNames: readonly string[]): Scope {
  const { domain, host, images, overlay, nvram, medium, serialLog } = context
  return {
    domain: { ...domain },
    host: { ...host, firmware: host.firmware === undefined ? undefined : { ...host.firmware } },
    params: parameterScope(context.params, parameterNames),
    images: Object.fromEntries(ROLES.map((role) => [role, images[role]])),
    overlay: overlay === undefined ? undefined : { ...overlay },
    nvram,
    medium,
    ...nicScopes(context),
    serialLog,
  }
}

export function guestScope(context: GuestTemplateContext, parameterNames: readonly string[]): Scope {
  const { identity, router } = context
  return {
    identity: { ...identity },
    ...nicScopes(context),
    router: router === undefined ? undefined : { ...router, wan: { ...router.wan }, lan: { ...router.lan } },
    params: parameterScope(context.params, parameterNames),
  }
}

export function networkScope({ network }: NetworkTemplateContext): Scope {
  const { address, netmask, rangeFirst, rangeLast } = network
  return { network: { ...network, address, netmask, rangeFirst, rangeLast } }
}

function parameterScope(values: Readonly<Record<string, ParameterValue>>, names: readonly string[]): Scope {
  return { ...Object.fromEntries(names.map((name) => [name, undefined])), ...values }
}

function nicScopes(context: {
  readonly nics: readonly NicContext[]
  readonly wan?: NicContext
  readonly lan?: NicContext
}): Scope {
  const { nics, wan, lan } = context
  return { nics: nics.map((nic) => nicScope(nic)), wan: wan && nicScope(wan), lan: lan && nicScope(lan) }
}

function nicScope({ role, mac, network, bridge, pci, link, isolated }: NicContext): Scope {
  return { role, mac, network, bridge, pci: pci && { ...pci }, link, isolated }
}
