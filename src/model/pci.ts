/**
 * Addresses of PCI functions and the ways in which users name devices. The hexadecimal forms are those of lspci and of
 * sysfs (`0000:03:00.0`); a domain may have more than four digits (Intel VMD, Hyper-V).
 *
 * Source: Linux Documentation/PCI/sysfs-pci.rst, lspci(8), the PCI code and ID assignment specification for classes.
 */
import { VmpkgError } from '../errors.ts'

export interface PciAddress {
  readonly domain: number
  readonly bus: number
  /** What lspci calls device. */
  readonly slot: number
  readonly function: number
}

/** An address as templates and libvirt's `<address>` write it: hexadecimal digits without `0x`. */
export interface PciAddressWords {
  readonly domain: string
  readonly bus: string
  readonly slot: string
  readonly function: string
}

/** How a user names PCI devices; only `address` names exactly one. */
export type PciSelector =
  | { readonly by: 'address'; readonly address: PciAddress }
  /** All functions of a card: an address without its function. */
  | { readonly by: 'card'; readonly address: Omit<PciAddress, 'function'> }
  /** Four hexadecimal digits each, lower case. */
  | { readonly by: 'id'; readonly vendor: string; readonly device: string }
  /** Two, four or six hexadecimal digits: base class, subclass, programming interface. */
  | { readonly by: 'class'; readonly prefix: string }
  /** Label of the slot in the case, as the firmware tells it. */
  | { readonly by: 'slot'; readonly label: string }
  /** Lower case, colon separated. */
  | { readonly by: 'mac'; readonly mac: string }
  | { readonly by: 'serial'; readonly serial: string }

/** Words for classes that users ask for. Source: PCI code and ID assignment specification, chapter 1. */
export const PCI_CLASS_WORDS: Readonly<Record<string, string>> = {
  storage: '01',
  sata: '0106',
  nvme: '0108',
  network: '02',
  ethernet: '0200',
  wifi: '0280',
  gpu: '03',
  display: '03',
  vga: '0300',
  multimedia: '04',
  audio: '0403',
  bridge: '06',
  usb: '0c03',
  accelerator: '12',
}

const ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/
const CARD = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})$/
/** Slots of a bus have five bits. */
const MAXIMUM_SLOT = 0x1f

/**
 * @param text `BB:DD.F` or `DDDD:BB:DD.F`, any case
 * @throws {VmpkgError} `PARAMETER_INVALID`
 */
export function parsePciAddress(text: string): PciAddress {
  const address = findPciAddress(text)
  if (address !== undefined) return address
  throw new VmpkgError('PARAMETER_INVALID', `Not a PCI address: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write it like 0000:03:00.0; vmpkg devices --pci lists the addresses.',
  })
}

/** @returns undefined for what is no PCI address */
export function findPciAddress(text: string): PciAddress | undefined {
  const match = ADDRESS.exec(text.toLowerCase())
  if (match === null) return undefined
  const [, domain = '0', bus = '', slot = '', fn = ''] = match
  const address = {
    domain: Number.parseInt(domain, 16),
    bus: Number.parseInt(bus, 16),
    slot: Number.parseInt(slot, 16),
    function: Number(fn),
  }
  return address.slot > MAXIMUM_SLOT ? undefined : address
}

/** `0000:03:00.0`: what names the device in sysfs. */
export function formatPciAddress(address: PciAddress): string {
  const { domain, bus, slot, function: fn } = formatPciAddressWords(address)
  return `${domain}:${bus}:${slot}.${fn}`
}

export function formatPciAddressWords(address: PciAddress): PciAddressWords {
  return {
    domain: address.domain.toString(16).padStart(4, '0'),
    bus: address.bus.toString(16).padStart(2, '0'),
    slot: address.slot.toString(16).padStart(2, '0'),
    function: address.function.toString(16),
  }
}

/**
 * @param text an address, an address without function (the whole card), `vendor:device`, `class:PREFIX` or
 * `class:WORD`, `slot:LABEL`, `mac:ADDRESS`, `serial:TEXT`, or libvirt's `pci_0000_03_00_0`
 * @throws {VmpkgError} `PARAMETER_INVALID`
 */
export function parsePciSelector(text: string): PciSelector {
  const lower = text.trim().toLowerCase()
  const node = /^pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])$/.exec(lower)
  const address = findPciAddress(node === null ? lower : `${node[1]}:${node[2]}:${node[3]}.${node[4]}`)
  if (address !== undefined) return { by: 'address', address }
  const [kind = '', ...rest] = text.trim().split(':')
  const value = rest.join(':')
  if (kind === 'class') return parseClass(value)
  if (kind === 'mac' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) return { by: 'mac', mac: value.toLowerCase() }
  if (kind === 'slot' && value !== '') return { by: 'slot', label: value }
  if (kind === 'serial' && value !== '') return { by: 'serial', serial: value.toLowerCase() }
  const id = /^([0-9a-f]{4}):([0-9a-f]{4})$/.exec(lower)
  if (id !== null) return { by: 'id', vendor: id[1] ?? '', device: id[2] ?? '' }
  const card = CARD.exec(lower)
  if (card !== null && Number.parseInt(card[3] ?? '', 16) <= MAXIMUM_SLOT) {
    const { domain, bus, slot } = parsePciAddress(`${lower}.0`)
    return { by: 'card', address: { domain, bus, slot } }
  }
  throw new VmpkgError('PARAMETER_INVALID', `This names no PCI device: ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'Write an address (0000:03:00.0), a card (03:00), vendor:device (8086:10d3), class:gpu, slot:LABEL or mac:ADDRESS.',
  })
}

/** The text that `parsePciSelector` reads. */
export function formatPciSelector(selector: PciSelector): string {
  switch (selector.by) {
    case 'address':
      return formatPciAddress(selector.address)
    case 'card':
      return formatPciAddress({ ...selector.address, function: 0 }).slice(0, -2)
    case 'id':
      return `${selector.vendor}:${selector.device}`
    case 'class':
      return `class:${selector.prefix}`
    case 'slot':
      return `slot:${selector.label}`
    case 'mac':
      return `mac:${selector.mac}`
    case 'serial':
      return `serial:${selector.serial}`
  }
}

function parseClass(text: string): PciSelector {
  const word = text.toLowerCase()
  const prefix = Object.hasOwn(PCI_CLASS_WORDS, word) ? PCI_CLASS_WORDS[word] : word
  if (prefix !== undefined && /^(?:[0-9a-f]{2}){1,3}$/.test(prefix)) return { by: 'class', prefix }
  throw new VmpkgError('PARAMETER_INVALID', `Not a class of PCI devices: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: `Write two, four or six hexadecimal digits, or one of ${Object.keys(PCI_CLASS_WORDS).join(', ')}.`,
  })
}

/** Orders addresses as numbers. */
export function comparePciAddresses(a: string, b: string): number {
  const [x, y] = [findPciAddress(a), findPciAddress(b)]
  if (x === undefined || y === undefined) return a < b ? -1 : Number(a > b)
  return x.domain - y.domain || x.bus - y.bus || x.slot - y.slot || x.function - y.function
}
