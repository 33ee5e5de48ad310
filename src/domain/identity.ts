/**
 * Identities of domains: nothing is taken from an image or a sibling (A16, K2). MACs are locally administered unicast,
 * so that none carries QEMU's 52:54:00 (MAC-1). Random bytes come from the port.
 */
import type { Randomness } from '../ports.ts'

export interface Identity {
  /** RFC 9562 version 4. */
  readonly uuid: string
  readonly hostname: string
  /** 32 hexadecimal digits, systemd's /etc/machine-id. */
  readonly machineId: string
  /** 64 hexadecimal digits for the guest's random number generator. */
  readonly seed: string
}

export function newIdentity(hostname: string, randomness: Randomness): Identity {
  return {
    uuid: newUuid(randomness),
    hostname,
    machineId: newUuid(randomness).replaceAll('-', ''),
    seed: Buffer.from(randomness.bytes(32)).toString('hex'),
  }
}

export function newUuid(randomness: Randomness): string {
  const bytes = Buffer.from(randomness.bytes(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** One whose last byte is this: by it a client's address is known (`model/lan-address.ts`). */
export function newClientMac(randomness: Randomness, last: number): string {
  return newMac(randomness).slice(0, -2) + last.toString(16).padStart(2, '0')
}

/** `x2:…`, `x6:…`, `xa:…` or `xe:…`: locally administered, unicast. */
export function newMac(randomness: Randomness): string {
  const bytes = Buffer.from(randomness.bytes(6))
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
