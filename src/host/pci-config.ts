/**
 * What a function's configuration space tells beyond sysfs. Ordinary users read its first 64 bytes, root all of it.
 *
 * Source: Linux include/uapi/linux/pci_regs.h (offsets and identifiers), PCI Express base specification 7.9.3.
 */

export interface PciConfig {
  /** Without the multifunction bit; 127 where every byte reads as ones: the device does not answer. */
  readonly headerType: number
  readonly isMultifunction: boolean
  readonly hasMsi: boolean
  /** Sixteen hexadecimal digits. */
  readonly serial?: string
}

const STATUS = 0x06
const STATUS_CAPABILITIES = 0x10
const HEADER_TYPE = 0x0e
const CAPABILITIES = 0x34
const MSI = 0x05
const MSIX = 0x11
const EXTENDED = 0x100
const DEVICE_SERIAL_NUMBER = 0x0003
/** A list of capabilities cannot be longer: each takes four bytes at least. */
const MAXIMUM_CAPABILITIES = 48
const MAXIMUM_EXTENDED = 960

/** @returns undefined for fewer than 64 bytes */
export function parsePciConfig(bytes: Uint8Array): PciConfig | undefined {
  if (bytes.length < 64) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = view.getUint8(HEADER_TYPE)
  const serial = readSerial(view)
  return {
    headerType: header & 0x7f,
    isMultifunction: (header & 0x80) !== 0 && header !== 0xff,
    hasMsi: readCapabilities(view).some((id) => id === MSI || id === MSIX),
    ...(serial !== undefined && { serial }),
  }
}

function readCapabilities(view: DataView): readonly number[] {
  const found: number[] = []
  if ((view.getUint16(STATUS, true) & STATUS_CAPABILITIES) === 0) return found
  let at = view.getUint8(CAPABILITIES) & 0xfc
  while (at >= 0x40 && at + 2 <= view.byteLength && found.length < MAXIMUM_CAPABILITIES) {
    found.push(view.getUint8(at))
    at = view.getUint8(at + 1) & 0xfc
  }
  return found
}

function readSerial(view: DataView): string | undefined {
  let at = EXTENDED
  for (let steps = 0; at >= EXTENDED && at + 12 <= view.byteLength && steps < MAXIMUM_EXTENDED; steps++) {
    const header = view.getUint32(at, true)
    if (header === 0 || header === 0xff_ff_ff_ff) return undefined
    if ((header & 0xff_ff) === DEVICE_SERIAL_NUMBER) {
      return view
        .getBigUint64(at + 4, true)
        .toString(16)
        .padStart(16, '0')
    }
    at = (header >>> 20) & 0xffc
  }
  return undefined
}
