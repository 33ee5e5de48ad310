/**
 * A host that does not exist, for looking at templates without one: firmware, cards and files under names that say so, and
 * of everything that a user may choose one of its kind.
 */
import type { Capability } from '../model/capability.ts'
import { imagineChoice, isChoiceParameter } from '../model/choice.ts'
import type { ImageRole } from '../model/line.ts'
import type { Manifest, Parameter, ParameterValue, ParameterValues } from '../model/manifest.ts'
import type { Placement } from '../model/placement.ts'
import { parseSize } from '../model/size.ts'
import type {
  DomainTemplateContext,
  NetworkTemplateContext,
  NicContext,
  PciContext,
  RouterContext,
  TorContext,
} from '../model/template-context.ts'
import { type ChoicesInput, choicesOf } from '../render/choices.ts'
import { chooseForDomain, chooseForNetwork } from '../render/chosen.ts'
import type { Choices } from '../render/gate.ts'

const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024
const UUID = '00000000-0000-4000-8000-000000000000'
const LAN_MAC = '52:54:00:00:00:02'
/** What a release lacks is refused on hosts that have it, in words of its own. */
const NEWEST = { libvirtVersion: '999.0.0', qemuVersion: '999.0.0' }
const WAN_MAC = '52:54:00:00:00:01'

export interface ImaginedImages {
  /** Images that the package has or will have. */
  readonly roles: readonly ImageRole[]
  /** Whether the root is checked while it is read. */
  readonly hasVerity: boolean
}

export function imagineDomain(
  manifest: Manifest,
  { roles, hasVerity }: ImaginedImages,
  nics: readonly NicContext[],
  params: Readonly<Record<string, ParameterValue>>,
): DomainTemplateContext {
  const memory = typeof params['memory'] === 'number' ? params['memory'] : DEFAULT_MEMORY_BYTES
  const [memoryKib, vcpus] = [Math.ceil(memory / 1024), Number(params['vcpus'] ?? 1)]
  const images = Object.fromEntries(roles.map((role) => [role, `/lint/images/${role}`]))
  return {
    domain: { name: 'lint', uuid: UUID, memoryKib, vcpus },
    host: {
      virtType: 'kvm',
      emulator: '/usr/bin/qemu-system-x86_64',
      firmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
      secureFirmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
      ...NEWEST,
    },
    params,
    images,
    ...(hasVerity ? { verity: `${'0'.repeat(64)}:1` } : {}),
    ...(roles.includes('disk') ? { overlay: { path: '/lint/overlay.qcow2', base: '/lint/images/disk' } } : {}),
    nvram: '/lint/nvram.fd',
    medium: '/lint/medium.iso',
    nics,
    ...byRole(nics),
    serialLog: '/lint/serial.log',
    ...imaginePlacement(params, memoryKib, vcpus),
    ...chooseForDomain({ definitions: manifest.parameters, values: params, uuid: UUID, pci: imaginePci(manifest) }),
  }
}

/** Where the parameters `pin` and `hugepages` ask for one, on one node with a core for each vCPU. */
function imaginePlacement(
  { pin, hugepages }: Readonly<Record<string, ParameterValue>>,
  memoryKib: number,
  vcpus: number,
): { placement?: Placement } {
  if (pin !== true && hugepages !== true) return {}
  const numbers = [...Array(vcpus).keys()]
  const isPinned = pin === true
  const cell = { id: 0, vcpus: numbers, memoryKib, ...(isPinned ? { hostNode: 0 } : {}) }
  return {
    placement: {
      vcpuPins: isPinned ? numbers.map((vcpu) => ({ vcpu, cpus: [vcpu + 1] })) : [],
      emulatorCpus: isPinned ? [0] : [],
      iothreadPins: [],
      memoryNodes: isPinned ? [0] : [],
      topology: { sockets: 1, dies: 1, cores: vcpus, threads: 1 },
      cells: [{ ...cell, ...(hugepages === true ? { pageKib: 2048 } : {}) }],
      reasons: [],
    },
  }
}

export function imagineNics(
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

export function byRole(nics: readonly NicContext[]): { wan?: NicContext; lan?: NicContext } {
  const wan = nics.find(({ role }) => role === 'wan')
  const lan = nics.find(({ role }) => role === 'lan')
  return { ...(wan === undefined ? {} : { wan }), ...(lan === undefined ? {} : { lan }) }
}

/** As full as it can be, so that every branch of a template is seen. */
export function imagineRouter(layer: RouterContext['layer']): RouterContext {
  const endpoints = [{ address: '192.0.2.7', protocol: 'udp', port: 1194 }] as const
  const place = { address: '192.0.2.2', prefix: 24, broadcast: '192.0.2.255', gateway: '192.0.2.1' }
  return {
    layer,
    instance: `${layer}0`,
    wan: { mac: WAN_MAC, ...(layer === 'uni' ? {} : place) },
    lowers: [{ name: 'lint-lower', wanMac: '52:54:00:00:00:04', wanAddress: '10.1.1.2', endpoints, reach: 'tor' }],
    forwards: [
      {
        name: 'lint-client',
        mac: '52:54:00:00:00:05',
        address: '10.1.1.31',
        ports: [{ protocol: 'tcp', port: 8443, target: 443 }],
      },
    ],
    ...(layer === 'uni'
      ? {
          home: {
            device: 'home',
            protocol: 'udp',
            port: 51_820,
            cidr: '192.0.2.64/28',
            address: '192.0.2.65',
            prefix: 28,
            peers: [{ name: 'lint', address: '192.0.2.66', targets: [{ name: 'lint-client', address: '10.1.1.31' }] }],
          },
          openvpn: {
            device: 'home-ovpn',
            protocol: 'tcp',
            port: 443,
            cidr: '192.0.2.80/28',
            address: '192.0.2.81',
            prefix: 28,
            peers: [{ name: 'lint', address: '192.0.2.82', targets: [{ name: 'lint-client', address: '10.1.1.31' }] }],
          },
        }
      : {}),
    ...(layer === 'gal'
      ? {
          vpn: {
            name: 'lint',
            kind: 'openvpn',
            endpoints,
            dns: ['192.0.2.53'],
            addresses: ['192.0.2.66/32'],
            mtu: 1400,
          },
        }
      : {}),
    ...(layer === 'uni' ? {} : { tor: imagineTor() }),
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

function imagineTor(): TorContext {
  const [address, fingerprint] = ['192.0.2.9', 'A'.repeat(40)]
  const authority = { nickname: 'lint', address, orPort: 443, dirPort: 80, v3Ident: fingerprint, fingerprint }
  return {
    name: 'lint',
    kind: 'bridges',
    isTesting: true,
    usesConsensus: true,
    authorities: [authority],
    bridges: [{ address, port: 443, fingerprint }],
    endpoints: [{ address, protocol: 'tcp', port: 443 }],
  }
}

export function imagineNetwork(manifest: Manifest, isUplink: boolean): NetworkTemplateContext {
  const params = imagineParameters(manifest, true)
  const chosen = { host: NEWEST, params, ...chooseForNetwork({ definitions: manifest.parameters, values: params }) }
  const common = { name: 'lint', uuid: UUID, bridge: 'lint', mac: '52:54:00:00:00:03' }
  if (!isUplink) return { network: common, ...chosen }
  const addresses = {
    address: '192.0.2.1',
    netmask: '255.255.255.0',
    rangeFirst: '192.0.2.10',
    rangeLast: '192.0.2.250',
  }
  return { network: { ...common, ...addresses }, ...chosen }
}

/** Sets of values: as `imagineParameters`, and for each boolean and each word of a choice one that has it. */
export function imagineValues(
  manifest: Manifest,
  isWhole: boolean,
): readonly Readonly<Record<string, ParameterValue>>[] {
  const base = imagineParameters(manifest, isWhole)
  const others = Object.entries(manifest.parameters).flatMap(([name, one]) => {
    const words = one.type === 'boolean' ? [true, false] : one.type === 'choice' ? one.values : []
    return words.filter((word) => word !== base[name]).map((word) => ({ ...base, [name]: word }))
  })
  return [base, ...others]
}

/**
 * Defaults; for the others something of the right type, but for texts, whose pattern cannot be imagined. Of what the user
 * chooses of the host all (`isWhole`) or only what has to be chosen.
 */
export function imagineParameters(
  { parameters }: Manifest,
  isWhole: boolean,
): Readonly<Record<string, ParameterValue>> {
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, definition], index) => {
      const value = imagine(definition, index, isWhole)
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function imagine(one: Parameter, index: number, isWhole: boolean): ParameterValue | undefined {
  if (isChoiceParameter(one)) {
    if (one.default !== undefined) return typeof one.default === 'string' ? one.default : one.default.join(',')
    return isWhole || one.optional !== true ? imagineChoice(one.type, index) : undefined
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

/** As if a user had set everything that has no default: what a package itself says of a host counts for nothing. */
export function imagineChoices(
  manifest: Manifest,
  params: Readonly<Record<string, ParameterValue>>,
  context: ChoicesInput['context'],
): Choices {
  const parameters: ParameterValues = Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const definition = manifest.parameters[name]
      const isDefault = definition !== undefined && 'default' in definition && definition.default !== undefined
      return [name, { value, origin: isDefault ? 'default' : 'command line' }] as const
    }),
  )
  return choicesOf({ parameters, definitions: manifest.parameters, context })
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
