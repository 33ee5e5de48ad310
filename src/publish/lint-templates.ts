/**
 * Mistakes in templates that show without a host: they are rendered for an imagined one, once for every kind of card that
 * the package asks for, and put before the policy gate. What the gate refuses there it refuses everywhere.
 */
import type { PackageContents } from '../archive/load-package.ts'
import { type CapabilityName, grantName } from '../model/capability.ts'
import { isChoiceParameter } from '../model/choice.ts'
import type { Manifest, Parameter } from '../model/manifest.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { renderDomain } from '../render/domain.ts'
import { verifyDomainPolicy } from '../render/domain-policy.ts'
import type { Partials } from '../render/environment.ts'
import { renderGuestFile } from '../render/guest.ts'
import { renderNetwork } from '../render/network.ts'
import { verifyNetworkPolicy } from '../render/network-policy.ts'
import { parseTemplate } from '../render/template.ts'
import {
  byRole,
  type ImaginedImages,
  imagineChoices,
  imagineDomain,
  imagineNetwork,
  imagineNics,
  imagineParameters,
  imagineRouter,
  imagineValues,
} from './imagined-host.ts'
import { findingsOf, type LintFinding, lintWarning } from './lint-finding.ts'

export interface TemplateLint extends ImaginedImages {
  readonly contents: PackageContents
  /** vmpkg's own. */
  readonly partials: Partials
}

/** vmpkg itself gives these their meaning, whether or not a template names them. */
const BUILT_IN = new Set(['memory', 'vcpus', 'uplink'])

/** vmpkg places the machine by these; what came of it the template says, mostly by partials. */
const PLACING: Readonly<Record<string, RegExp>> = {
  pin: /\bplacement\.(?:vcpuPins|emulatorCpus|iothreadPins|memoryNodes)\b/,
  hugepages: /<hugepages\b/,
}

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

function lintDomain(lint: TemplateLint): readonly LintFinding[] {
  const { contents, partials } = lint
  const { manifest, templates } = contents
  const path = manifest.templates.domain
  return contexts(manifest, lint).flatMap((context) =>
    attempt(path, () => {
      const parameterNames = Object.keys(manifest.parameters)
      const xml = renderDomain({ template: templates.get(path) ?? '', partials, context, parameterNames })
      const { capabilities } = manifest
      const choices = imagineChoices(manifest, context.params, context)
      verifyDomainPolicy({ xml, context, capabilities, granted: capabilities.map(grantName), choices })
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
      const choices = imagineChoices(manifest, context.params ?? {}, context)
      verifyNetworkPolicy({ xml, context, kind, capabilities, granted: capabilities.map(grantName), choices })
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
    params: imagineParameters(manifest, false),
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

/** No template sees a file, but what was read in it. */
const MADE_OF_FILES: Readonly<Record<string, RegExp>> = {
  'vpn-profile': /\brouter\.vpn\b/,
  'vpn-profiles': /\brouter\.vpn\b/, // those that vmpkg keeps beside it
  'tor-network': /\brouter\.tor\b/,
  'vpn-server': /\brouter\.homes?\b/,
  'openvpn-server': /\brouter\.(?:openvpn|homes)\b/,
}

/** What is declared and not used, or used and not declared. */
function lintUse(lint: TemplateLint): readonly LintFinding[] {
  const { contents, partials } = lint
  const { manifest, templates, guestFiles } = contents
  const domain = expand(templates.get(manifest.templates.domain) ?? '', partials)
  const guests = [...guestFiles.values()].map((bytes) => Buffer.from(bytes).toString())
  const all = [domain, ...templates.values(), ...guests].join('\n')
  const findings = Object.entries(manifest.parameters)
    .filter(
      ([name, one]) =>
        !BUILT_IN.has(name) &&
        !new RegExp(`\\bparams\\.${name}\\b`).test(all) &&
        PLACING[name]?.test(domain) !== true &&
        !(one.type === 'file' && MADE_OF_FILES[one.format]?.test(all) === true) &&
        !isWalked(lint, name, one),
    )
    .map(([name]) => name)
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

/** What the user chose stands in lists that partials walk: it is used where the machine is another one without it. */
function isWalked(lint: TemplateLint, name: string, definition: Parameter): boolean {
  if (!isChoiceParameter(definition)) return false
  const { contents, partials } = lint
  const { manifest, templates } = contents
  const nics = imagineNics(manifest.capabilities, manifest.kind === 'router', 'network')
  const values = imagineParameters(manifest, true)
  const { [name]: _left, ...without } = values
  const [before, after] = [values, without].map((params) => {
    try {
      const context = imagineDomain(manifest, lint, nics, params)
      const template = templates.get(manifest.templates.domain) ?? ''
      return renderDomain({ template, partials, context, parameterNames: Object.keys(manifest.parameters) })
    } catch (error) {
      return error // told already, or a template that needs this value
    }
  })
  return before !== after
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

/**
 * One for each kind of WAN card that the capabilities allow, with everything chosen that the user may choose; and one with
 * nothing but what must be. Of booleans and of choices each value once.
 */
function contexts(manifest: Manifest, images: ImaginedImages): readonly DomainTemplateContext[] {
  const { capabilities } = manifest
  const isRouter = manifest.kind === 'router'
  const kinds = ['network', 'bridge', 'pci'] as const
  const allowed = kinds.filter((kind) => {
    if (kind === 'network') return true
    const needed = kind === 'bridge' ? 'host-bridge' : 'pci'
    return capabilities.some((one) => one.name === needed && (one.name !== 'pci' || one.class === 'network'))
  })
  const whole = allowed.map((kind) => ({ nics: imagineNics(capabilities, isRouter, kind), isWhole: true }))
  const least = { nics: imagineNics(capabilities, isRouter, 'network'), isWhole: false }
  return [...whole, least].flatMap(({ nics, isWhole }) =>
    imagineValues(manifest, isWhole).map((params) => imagineDomain(manifest, images, nics, params)),
  )
}
