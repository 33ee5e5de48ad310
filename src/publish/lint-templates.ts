/**
 * Mistakes in templates that show without a host: they are rendered for an imagined one, once for every kind of card that
 * the package asks for, and put before the policy gate. What the gate refuses there it refuses everywhere.
 */
import type { PackageContents } from '../archive/load-package.ts'
import { type Capability, type CapabilityName, grantName } from '../model/capability.ts'
import { type ChoiceType, imagineChoice, isChoiceParameter } from '../model/choice.ts'
import type { ImageRole } from '../model/line.ts'
import type { Manifest, Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import { parseSize } from '../model/size.ts'
import type {
  DomainTemplateContext,
  NetworkTemplateContext,
  NicContext,
  PciContext,
  RouterContext,
} from '../model/template-context.ts'
import { choicesOf } from '../render/choices.ts'
import { chooseForDomain, chooseForNetwork } from '../render/chosen.ts'
import { renderDomain } from '../render/domain.ts'
import { verifyDomainPolicy } from '../render/domain-policy.ts'
import type { Partials } from '../render/environment.ts'
import { renderGuestFile } from '../render/guest.ts'
import { renderNetwork } from '../render/network.ts'
import { verifyNetworkPolicy } from '../render/network-policy.ts'
import { parseTemplate } from '../render/template.ts'
import { findingsOf, type LintFinding, lintWarning } from './lint-finding.ts'

export interface TemplateLint {
  readonly contents: PackageContents
  /** Images that the package has or will have. */
  readonly roles: readonly ImageRole[]
  /** vmpkg's own. */
  readonly partials: Partials
}

/** vmpkg itself gives these their meaning, whether or not a template names them. */
const BUILT_IN = new Set(['memory', 'vcpus', 'uplink'])
const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024
const UUID = '00000000-0000-4000-8000-000000000000'
const LAN_MAC = '52:54:00:00:00:02'
const WAN_MAC = '52:54:00:00:00:01'

/** What in a domain template speaks of each capability. */
const USES: Readonly<Record<CapabilityName, RegExp>> = {
  network: /\b(?:nics|wan|lan)\b/,
  'host-bridge': /\bbridge\b/,
  pci: /\bpci\b/,
  hugepages: /\b(?:hugepages|pagesize)\b/,
  usb: /\busb\b/,
  mdev: /\bmdevs?\b/,
  evdev: /\bevdev\b/,
  'host-folder': /\b(?:filesystem|dir|folders?|share)\b/,
  'host-file': /\b(?:file|nvram|slic|pool)\b/,
  'block-device': /\b(?:block|scsi|reservations)\b/,
  'network-disk': /\b(?:protocol|host)\b/,
  'tpm-passthrough': /\bpassthrough\b/,
  'user-network': /\b(?:user|passt)\b/,
  tunnel: /\b(?:mcast|udp|server|client|tunnel)\b/,
  'direct-network': /\b(?:direct|ethernet|vdpa|vhostuser|virtualport)\b/,
  'shared-memory': /\b(?:shared|shmem|memAccess)\b/,
  'locked-memory': /\b(?:locked|memorybacking)\b/i,
  'cpu-pinning': /\b(?:cpuset|vcpupin|emulatorpin|iothreadpin|numatune|pins?|placement)\b/,
  realtime: /\b(?:vcpusched|iothreadsched|emulatorsched|realtime)\b/,
  'gpu-share': /\b(?:gl|rendernode|accel3d|egl-headless)\b/,
  'host-audio': /\baudio\b/,
  vsock: /\bvsock\b/,
  redirection: /\b(?:redirdev|smartcard|clipboard|filetransfer|spicevmc)\b/,
  'host-chardev': /\b(?:serial|console|parallel|channel|chardev|socket)\b/,
  'qemu-commandline': /\bqemu:/,
}

export function lintTemplates(lint: TemplateLint): readonly LintFinding[] {
  const findings = [...lintSyntax(lint), ...lintDomain(lint), ...lintNetworks(lint), ...lintGuest(lint)]
  const unique = new Map(findings.map((one) => [`${one.code} ${one.subject} ${one.message}`, one]))
  return [...unique.values(), ...lintUse(lint)]
}

/** Templates that nothing names travel as well. */
function lintSyntax({ contents: { templates, manifest } }: TemplateLint): readonly LintFinding[] {
  const named = Object.values(manifest.templates)
  return [...templates].flatMap(([path, text]) => [
    ...attempt(path, () => void parseTemplate(path, text)),
    ...(named.includes(path)
      ? []
      : [lintWarning('template-unused', path, 'travels, but the manifest does not name it')]),
  ])
}

function lintDomain({ contents, roles, partials }: TemplateLint): readonly LintFinding[] {
  const { manifest, templates } = contents
  const path = manifest.templates.domain
  return contexts(manifest, roles).flatMap((context) =>
    attempt(path, () => {
      const parameterNames = Object.keys(manifest.parameters)
      const xml = renderDomain({ template: templates.get(path) ?? '', partials, context, parameterNames })
      const { capabilities } = manifest
      verifyDomainPolicy({
        xml,
        context,
        capabilities,
        granted: capabilities.map(grantName),
        choices: choicesOf({ parameters: imagineOrigins(manifest), definitions: manifest.parameters, context }),
      })
    }),
  )
}

function lintNetworks({ contents: { manifest, templates }, partials }: TemplateLint): readonly LintFinding[] {
  const { capabilities } = manifest
  const kinds = [
    { kind: 'lan', path: manifest.templates.network, context: imagineNetwork(manifest, false) },
    { kind: 'uplink', path: manifest.templates.uplink, context: imagineNetwork(manifest, true) },
  ] as const
  return kinds.flatMap(({ kind, path, context }) => {
    if (path === undefined) return []
    return attempt(path, () => {
      const parameterNames = Object.keys(manifest.parameters)
      const xml = renderNetwork({ template: templates.get(path) ?? '', partials, context, parameterNames })
      verifyNetworkPolicy({
        xml,
        context,
        kind,
        capabilities,
        granted: capabilities.map(grantName),
        choices: choicesOf({ parameters: imagineOrigins(manifest), definitions: manifest.parameters, context }),
      })
    })
  })
}

function lintGuest({ contents: { manifest, guestFiles } }: TemplateLint): readonly LintFinding[] {
  const nics = imagineNics(manifest.capabilities, manifest.kind === 'router', 'network')
  const context = {
    identity: { hostname: 'lint', machineId: '0'.repeat(32), seed: '0'.repeat(64) },
    nics,
    ...byRole(nics),
    ...(manifest.layer === undefined ? {} : { router: imagineRouter(manifest.layer) }),
    params: imagineParameters(manifest),
  }
  const names = Object.keys(manifest.parameters)
  return [...guestFiles].flatMap(([path, bytes]) => {
    if (!path.endsWith('.hbs')) return []
    return attempt(
      `guest file ${path}`,
      () => void renderGuestFile(path, Buffer.from(bytes).toString(), context, names),
    )
  })
}

/** What is declared and not used, or used and not declared. */
function lintUse({ contents, partials }: TemplateLint): readonly LintFinding[] {
  const { manifest, templates, guestFiles } = contents
  const domain = expand(templates.get(manifest.templates.domain) ?? '', partials)
  const guests = [...guestFiles.values()].map((bytes) => Buffer.from(bytes).toString())
  const all = [domain, ...templates.values(), ...guests].join('\n')
  const findings = Object.keys(manifest.parameters)
    .filter((name) => !BUILT_IN.has(name) && !isUsed(name, manifest.parameters[name], all))
    .map((name) => lintWarning('parameter-unused', name, 'no template uses this parameter'))
  for (const { name } of manifest.capabilities) {
    if (USES[name].test(domain)) continue
    findings.push(
      lintWarning('capability-unused', name, 'users are asked for it, but the domain template does not use it'),
    )
  }
  if (!manifest.capabilities.some(({ name }) => name === 'network') && USES.network.test(domain)) {
    findings.push(
      lintWarning('capability-missing', 'network', 'the template asks for cards; without it there are none'),
    )
  }
  return findings
}

/** By its own name, or by the list that it is an entry of. */
function isUsed(name: string, definition: Parameter | undefined, text: string): boolean {
  if (new RegExp(`\\bparams\\.${name}\\b`).test(text)) return true
  if (definition === undefined || !isChoiceParameter(definition)) return false
  const list = LISTS[definition.type]
  return list !== undefined && new RegExp(`\\b${list}\\b`).test(text)
}

/** Where choices end up. */
const LISTS: Partial<Readonly<Record<ChoiceType, string>>> = {
  pci: 'hostdevs',
  usb: 'hostdevs',
  mdev: 'hostdevs',
  evdev: 'evdevs',
  folder: 'folders',
  disk: 'disks',
  block: 'disks',
  'network-disk': 'disks',
  iso: 'cdroms',
  forward: 'forwards',
  card: 'cards',
  reservation: 'reservations',
  route: 'routes',
  'host-name': 'hostNames',
  address: 'addresses',
}

function expand(template: string, partials: Partials): string {
  const texts = [template]
  const seen = new Set<string>()
  for (const text of texts) {
    for (const [, name = ''] of text.matchAll(/\{\{~?>\s*([a-z][a-z0-9-]*)/g)) {
      if (seen.has(name) || !Object.hasOwn(partials, name)) continue
      seen.add(name)
      texts.push(partials[name] ?? '')
    }
  }
  return texts.join('\n')
}

function attempt(subject: string, run: () => void): readonly LintFinding[] {
  try {
    run()
    return []
  } catch (error) {
    return findingsOf(error, subject)
  }
}

/** One for each kind of WAN card that the capabilities allow. */
function contexts(manifest: Manifest, roles: readonly ImageRole[]): readonly DomainTemplateContext[] {
  const { capabilities } = manifest
  const isRouter = manifest.kind === 'router'
  const kinds = ['network', 'bridge', 'pci'] as const
  const allowed = kinds.filter((kind) => {
    if (kind === 'network') return true
    const needed = kind === 'bridge' ? 'host-bridge' : 'pci'
    return capabilities.some((one) => one.name === needed && (one.name !== 'pci' || one.class === 'network'))
  })
  return allowed.map((kind) => imagineDomain(manifest, roles, imagineNics(capabilities, isRouter, kind)))
}

function imagineDomain(
  manifest: Manifest,
  roles: readonly ImageRole[],
  nics: readonly NicContext[],
): DomainTemplateContext {
  const params = imagineParameters(manifest)
  const memory = typeof params['memory'] === 'number' ? params['memory'] : DEFAULT_MEMORY_BYTES
  const images = Object.fromEntries(roles.map((role) => [role, `/lint/images/${role}`]))
  return {
    domain: { name: 'lint', uuid: UUID, memoryKib: Math.ceil(memory / 1024), vcpus: Number(params['vcpus'] ?? 1) },
    host: {
      virtType: 'kvm',
      emulator: '/usr/bin/qemu-system-x86_64',
      firmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
      secureFirmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
      // The newest: what a release lacks is refused on hosts that have it, in words of its own.
      libvirtVersion: '999.0.0',
      qemuVersion: '999.0.0',
    },
    params,
    ...chooseForDomain({ definitions: manifest.parameters, values: params, uuid: UUID, pci: imaginePci(manifest) }),
    images,
    ...(roles.includes('disk') ? { overlay: { path: '/lint/overlay.qcow2', base: '/lint/images/disk' } } : {}),
    nvram: '/lint/nvram.fd',
    medium: '/lint/medium.iso',
    nics,
    ...byRole(nics),
    serialLog: '/lint/serial.log',
  }
}

function imagineNics(
  capabilities: readonly Capability[],
  isRouter: boolean,
  kind: 'network' | 'bridge' | 'pci',
): readonly NicContext[] {
  const network = capabilities.find((one) => one.name === 'network')
  const isolated = !isRouter
  const link = 'up'
  const nics: NicContext[] = []
  if (network?.wan !== undefined || kind !== 'network') {
    const wan = { role: 'wan', mac: WAN_MAC, link, isolated } as const
    if (kind === 'network') nics.push({ ...wan, network: 'lint-uplink' })
    else if (kind === 'bridge') nics.push({ ...wan, bridge: 'br0' })
    else nics.push({ ...wan, pci: { domain: '0000', bus: '03', slot: '00', function: '0' } })
  }
  if (network?.lan !== undefined) {
    nics.push({ role: 'lan', mac: LAN_MAC, network: 'lint-lan', link: 'down', isolated: false })
  }
  return nics
}

function byRole(nics: readonly NicContext[]): { wan?: NicContext; lan?: NicContext } {
  const wan = nics.find(({ role }) => role === 'wan')
  const lan = nics.find(({ role }) => role === 'lan')
  return { ...(wan === undefined ? {} : { wan }), ...(lan === undefined ? {} : { lan }) }
}

function imagineRouter(layer: RouterContext['layer']): RouterContext {
  return {
    layer,
    instance: `${layer}0`,
    wan: { mac: WAN_MAC },
    lan: {
      mac: LAN_MAC,
      cidr: '10.1.1.0/24',
      address: '10.1.1.1',
      prefix: 24,
      netmask: '255.255.255.0',
      broadcast: '10.1.1.255',
      rangeFirst: '10.1.1.10',
      rangeLast: '10.1.1.250',
      leaseSeconds: 3600,
    },
  }
}

function imagineNetwork(manifest: Manifest, isUplink: boolean): NetworkTemplateContext {
  const common = { name: 'lint', uuid: UUID, bridge: 'lint', mac: '52:54:00:00:00:03' }
  const params = imagineParameters(manifest)
  const chosen = { params, ...chooseForNetwork({ definitions: manifest.parameters, values: params }) }
  if (!isUplink) return { network: common, ...chosen }
  const addresses = {
    address: '192.0.2.1',
    netmask: '255.255.255.0',
    rangeFirst: '192.0.2.10',
    rangeLast: '192.0.2.250',
  }
  return { network: { ...common, ...addresses }, ...chosen }
}

/** Defaults; for the others something of the right type, but for texts, whose pattern cannot be imagined. */
function imagineParameters({ parameters }: Manifest): Readonly<Record<string, ParameterValue>> {
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, definition], number) => {
      const value = imagine(definition, number)
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

/** As if a user had set everything that has no default: what a package itself says of a host counts for nothing. */
function imagineOrigins(manifest: Manifest): ParameterValues {
  return Object.fromEntries(
    Object.entries(imagineParameters(manifest)).map(([name, value]) => {
      const definition = manifest.parameters[name]
      const isDefault = definition !== undefined && 'default' in definition && definition.default !== undefined
      return [name, { value, origin: isDefault ? 'default' : 'command line' }] as const
    }),
  )
}

/** One device of two functions for each parameter. */
function imaginePci({ parameters }: Manifest): Readonly<Record<string, readonly PciContext[]>> {
  const names = Object.keys(parameters).filter((name) => parameters[name]?.type === 'pci')
  return Object.fromEntries(
    names.map((name, number) => {
      const place = { domain: '0000', bus: (number + 16).toString(16), slot: '00' }
      return [name, ['0', '1'].map((fn) => ({ ...place, function: fn }))] as const
    }),
  )
}

function imagine(one: Parameter, number: number): ParameterValue | undefined {
  if (isChoiceParameter(one)) {
    if (one.default === undefined) return imagineChoice(one.type, number)
    return typeof one.default === 'string' ? one.default : one.default.join(',')
  }
  switch (one.type) {
    case 'size':
      return parseSize(one.default ?? one.minimum ?? one.maximum ?? '256MiB')
    case 'integer':
      return one.default ?? one.minimum ?? one.maximum ?? 1
    case 'boolean':
      return one.default ?? true
    case 'choice':
      return one.default ?? one.values[0]
    case 'uplink':
      return one.default ?? 'auto'
    case 'string':
      return one.default ?? (one.pattern === undefined ? 'lint' : undefined)
    case 'file':
      return undefined
  }
}
