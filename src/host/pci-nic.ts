/**
 * A network card on the PCI bus, as sysfs describes it: that it is one, and the MAC it has, which the router inside must
 * know it by. Pure but for reading; the sysfs root is a parameter so that captured trees serve as tests.
 *
 * Source: Linux Documentation/PCI/sysfs-pci.rst; class codes of the PCI code and ID assignment specification.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'

/** Base class 02: network controllers. */
const NETWORK_CLASS = /^0x02/

/**
 * @param address `0000:03:00.0`
 * @returns the card's MAC, lower case
 * @throws {VmpkgError} `HOST_UNSUPPORTED` when there is no such device, it is no network card, or its MAC cannot be read
 */
export async function readPciNicMac(address: string, sysfs = '/sys'): Promise<string> {
  const folder = join(sysfs, 'bus', 'pci', 'devices', address)
  const pciClass = await readFile(join(folder, 'class'), 'utf8').catch((cause: unknown) => {
    throw new VmpkgError('HOST_UNSUPPORTED', `This host has no PCI device ${address}`, {
      hint: 'lspci -D lists the addresses.',
      cause,
    })
  })
  if (!NETWORK_CLASS.test(pciClass)) {
    throw new VmpkgError('HOST_UNSUPPORTED', `PCI device ${address} is not a network card (class ${pciClass.trim()})`, {
      hint: 'lspci -D -d ::02xx lists network cards.',
    })
  }
  const [name] = await readdir(join(folder, 'net')).catch((): string[] => [])
  const mac = name === undefined ? '' : await readFile(join(folder, 'net', name, 'address'), 'utf8').catch(() => '')
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac.trim())) return mac.trim()
  throw new VmpkgError('HOST_UNSUPPORTED', `The MAC of PCI device ${address} cannot be read: no driver has it`, {
    hint: 'Give it back to its driver first (virsh nodedev-reattach), so that its MAC can be read once.',
  })
}
