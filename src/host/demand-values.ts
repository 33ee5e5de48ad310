/** Words of libvirt's definitions as values: what is absent, or no value, is `undefined`. Pure. */
import { isVmpkgError } from '../errors.ts'
import { parseCpuSet } from '../model/cpu-set.ts'
import { formatPciAddress, type PciAddress } from '../model/pci.ts'
import { getAttribute, getText } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'

export function attribute(element: XmlElement | undefined, name: string): string | undefined {
  return element === undefined ? undefined : getAttribute(element, name)
}

export function textOf(element: XmlElement | undefined): string | undefined {
  const text = element === undefined ? '' : getText(element).trim()
  return text === '' ? undefined : text
}

export function toNumber(text: string | undefined): number | undefined {
  return text === undefined || !/^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? undefined : Number(text)
}

/** Processors or nodes of a list, `0-3,^2,8`; none where it is no list: libvirt itself says so. */
export function toIds(text = ''): readonly number[] {
  try {
    return parseCpuSet(text)
  } catch (error) {
    if (isVmpkgError(error, 'PARAMETER_INVALID')) return []
    throw error
  }
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1 / 1024,
  bytes: 1 / 1024,
  kb: 1000 / 1024,
  k: 1,
  kib: 1,
  mb: 1e6 / 1024,
  m: 1024,
  mib: 1024,
  gb: 1e9 / 1024,
  g: 1024 ** 2,
  gib: 1024 ** 2,
  tb: 1e12 / 1024,
  t: 1024 ** 3,
  tib: 1024 ** 3,
}

/** The unit is KiB where none is written. */
export function toKib(element: XmlElement, name = 'unit', value = getText(element)): number {
  return Math.ceil(Number(value) * (UNITS[(getAttribute(element, name) ?? 'KiB').toLowerCase()] ?? 1))
}

/** `0000:01:00.0` of an address whose parts are hexadecimal. */
export function formatPci(address: XmlElement): string {
  const part = (name: keyof PciAddress): number => toNumber(attribute(address, name)) ?? 0
  return formatPciAddress({ domain: part('domain'), bus: part('bus'), slot: part('slot'), function: part('function') })
}
