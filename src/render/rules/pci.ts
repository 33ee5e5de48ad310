/** Addresses of PCI devices in one spelling. */
import type { PciContext } from '../../model/template-context.ts'
import { getAttribute } from '../../xml/find.ts'
import type { XmlElement } from '../../xml/tree.ts'

const DIGITS = { domain: 4, bus: 2, slot: 2, function: 1 } as const

/** `0000:03:00.0` of `<address domain= bus= slot= function=>`; undefined where a part is absent or no number. */
export function pciOf(address: XmlElement): string | undefined {
  const parts = Object.entries(DIGITS).map(([name, digits]) => {
    const value = getAttribute(address, name) ?? (name === 'domain' ? '0' : undefined)
    if (value === undefined || !/^(?:0x[0-9a-fA-F]{1,4}|[0-9]{1,5})$/.test(value)) return undefined
    return Number(value).toString(16).padStart(digits, '0')
  })
  const [domain, bus, slot, fn] = parts
  return parts.includes(undefined) ? undefined : `${domain}:${bus}:${slot}.${fn}`
}

/** The same of an address in hexadecimal digits. */
export function pciText({ domain, bus, slot, function: fn }: PciContext): string {
  const hex = (value: string, digits: number): string => Number.parseInt(value, 16).toString(16).padStart(digits, '0')
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${hex(fn, 1)}`
}
