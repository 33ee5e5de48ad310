/**
 * Whether this host has an IOMMU, of which kind, and whether it remaps interrupts.
 *
 * Source: Linux Documentation/ABI/testing/sysfs-class-iommu (names dmar, ivhd, smmu) and sysfs-kernel-iommu_groups;
 * Documentation/arch/x86/iommu.rst (ACPI tables DMAR and IVRS, IORT on ARM); arch/x86/kernel/apic: the chips of remapped
 * interrupts are called IR-IO-APIC and IR-PCI-MSI in /proc/interrupts.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder, readAttribute } from './attribute.ts'

type IommuKind = 'intel' | 'amd' | 'smmu' | 'other'

export interface IommuFacts {
  /** The kernel uses it: there are groups. */
  readonly isOn: boolean
  readonly groupCount: number
  /** What the machine has, also while the kernel does not use it; absent where nothing tells. */
  readonly kind?: IommuKind
  /** Absent where nothing tells. */
  readonly remapsInterrupts?: boolean
  /** vfio_iommu_type1 was told to live without. */
  readonly allowsUnsafeInterrupts: boolean
}

const ACPI_TABLES = [
  ['DMAR', 'intel'],
  ['IVRS', 'amd'],
  ['IORT', 'smmu'],
] as const

/** @param roots `/sys` and `/proc` */
export async function readIommu(roots: { readonly sysfs: string; readonly procfs: string }): Promise<IommuFacts> {
  const { sysfs, procfs } = roots
  const [groups, units, tables, interrupts, cpus, unsafe] = await Promise.all([
    listFolder(join(sysfs, 'kernel', 'iommu_groups')),
    listFolder(join(sysfs, 'class', 'iommu')),
    listFolder(join(sysfs, 'firmware', 'acpi', 'tables')),
    readFile(join(procfs, 'interrupts'), 'utf8').catch(() => ''),
    readFile(join(procfs, 'cpuinfo'), 'utf8').catch(() => ''),
    readAttribute(join(sysfs, 'module', 'vfio_iommu_type1', 'parameters', 'allow_unsafe_interrupts')),
  ])
  const kind = kindOfUnits(units) ?? kindOfTables(tables) ?? kindOfProcessor(cpus)
  const groupCount = groups.filter((name) => /^\d+$/.test(name)).length
  return {
    isOn: groupCount > 0,
    groupCount,
    ...(kind !== undefined && { kind }),
    ...(/IO-APIC|MSI/.test(interrupts) && { remapsInterrupts: /\bIR-(IO-APIC|PCI-MSI)/.test(interrupts) }),
    allowsUnsafeInterrupts: unsafe === 'Y' || unsafe === '1',
  }
}

function kindOfUnits(units: readonly string[]): IommuKind | undefined {
  if (units.some((name) => name.startsWith('dmar'))) return 'intel'
  if (units.some((name) => name.startsWith('ivhd'))) return 'amd'
  if (units.some((name) => /smmu/.test(name))) return 'smmu'
  return units.length > 0 ? 'other' : undefined
}

function kindOfTables(tables: readonly string[]): IommuKind | undefined {
  return ACPI_TABLES.find(([table]) => tables.includes(table))?.[1]
}

/** Without tables only the maker is known: what the machine would have, were it switched on in the firmware. */
function kindOfProcessor(cpuinfo: string): IommuKind | undefined {
  const vendor = /^vendor_id\s*:\s*(\S+)/m.exec(cpuinfo)?.[1]
  if (vendor === 'GenuineIntel') return 'intel'
  return vendor === 'AuthenticAMD' || vendor === 'HygonGenuine' ? 'amd' : undefined
}
