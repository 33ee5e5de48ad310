/** The manifest `vmpkg.yaml` as data (formats 3.4). Parsing and the zod schema are in `manifest-schema.ts`. */
import type { Capability, PCI_CLASSES } from './capability.ts'
import type { ChoiceType } from './choice.ts'
import type { Arch, Layer, PackageKind } from './line.ts'

export interface Manifest {
  readonly vmpkg: 1
  readonly name: string
  readonly version: string
  readonly arch: Arch
  readonly kind: PackageKind
  readonly summary: string
  readonly description: string
  readonly license: string
  /** libosinfo short id (`debian12`), for virt-manager. */
  readonly os?: { readonly id: string; readonly family: 'linux' | 'windows' | 'bsd' | 'other' }
  readonly depends: readonly string[]
  readonly recommends: readonly string[]
  readonly provides: readonly string[]
  readonly conflicts: readonly string[]
  readonly replaces: readonly string[]
  /** Routers only. */
  readonly layer?: Layer
  /** Recipe file below the package folder; left out of the archive's meaning for clients. */
  readonly images?: { readonly recipe: string }
  readonly capabilities: readonly Capability[]
  readonly parameters: Readonly<Record<string, Parameter>>
  /** Named sets of values for `--profile`, as written. */
  readonly profiles?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Paths of Handlebars templates below the package folder. */
  readonly templates: { readonly domain: string; readonly network?: string; readonly uplink?: string }
  /** Folder of files rendered onto the guest's read-only configuration medium. */
  readonly guest?: { readonly files: string }
  /** Disks that outlive a machine, by name: kept for the next one of the machine’s name. Not for routers. */
  readonly data?: Readonly<Record<string, DataDisk>>
  readonly ready?: { readonly agent: 'rules-loaded' | 'up'; readonly timeoutSeconds: number }
  readonly notes?: string
  readonly supportEndsAt?: string
}

interface DataDisk {
  /** As in `8GiB`: what the guest sees; the file grows with what is written. */
  readonly size: string
  /** Of the file system that the guest makes on it; its name where it is absent. */
  readonly label?: string
  /** Where the guest mounts it. */
  readonly mount: string
}

interface ParameterBase {
  readonly description?: string
  readonly optional?: boolean
  /** Kept in the state database only, never in libvirt's metadata (decisions 19). Files are always secret. */
  readonly secret?: boolean
}

/** A typed parameter. Sizes are written `192MiB` and carried as bytes. */
export type Parameter =
  | (ParameterBase & {
      readonly type: 'size'
      readonly default?: string
      readonly minimum?: string
      readonly maximum?: string
    })
  | (ParameterBase & {
      readonly type: 'integer'
      readonly default?: number
      readonly minimum?: number
      readonly maximum?: number
    })
  | (ParameterBase & { readonly type: 'boolean'; readonly default?: boolean })
  | (ParameterBase & {
      readonly type: 'string'
      readonly default?: string
      readonly pattern?: string
      readonly maxLength?: number
    })
  | (ParameterBase & { readonly type: 'choice'; readonly values: readonly string[]; readonly default?: string })
  /** `auto`, `router:NAME`, `network:NAME` (libvirt), `bridge:NAME` (host bridge) or `pci:DDDD:BB:DD.F` (vfio). */
  | (ParameterBase & { readonly type: 'uplink'; readonly default?: string })
  /** Its value is what the file holds (stored-file.ts). */
  | (ParameterBase & { readonly type: 'file'; readonly format: string })
  | ChoiceParameter

/** Something of the host or of a network that the user chooses (choice.ts). */
export type ChoiceParameter = ParameterBase & {
  readonly type: ChoiceType
  readonly default?: string | readonly string[]
  /** Takes several: a list in YAML, `--set` more than once, or text with commas. */
  readonly list?: boolean
  /** Of folders (default read) and disks (default write). */
  readonly access?: 'read' | 'write'
  /** Of disk images. */
  readonly format?: 'raw' | 'qcow2'
  /** Of PCI devices: what the device must be. */
  readonly class?: (typeof PCI_CLASSES)[number]
}

/** A parameter value after checking. Sizes are bytes; lists are their texts joined by commas. */
export type ParameterValue = string | number | boolean

/**
 * Later ones win: the parameter's own default, a profile that the package brings, a profile of the user, values for the
 * whole host, the command line.
 */
export type Origin = 'default' | 'package' | 'profile' | 'host' | 'command line'

/** Checked values, each knowing where it came from. */
export type ParameterValues = Readonly<Record<string, { readonly value: ParameterValue; readonly origin: Origin }>>
