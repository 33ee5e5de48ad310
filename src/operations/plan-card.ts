/** A card for a client of a router's LAN, with an address that no other card there has. */
import { readCards } from '../domain/cards.ts'
import { newClientMac } from '../domain/identity.ts'
import { absent } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientNumbers } from '../model/lan-address.ts'
import type { Randomness } from '../ports.ts'

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` where the LAN is full */
export async function planClientMac(connect: Connect, network: string, randomness: Randomness): Promise<string> {
  const taken = new Set<number>()
  for (const domain of await connect.listAllDomains()) {
    const stored = await domain.getXMLDesc({ flags: ['inactive'] }).catch(absent('noDomain'))
    const running = await domain.getXMLDesc().catch(absent('noDomain'))
    for (const { mac, place } of readCards(stored ?? '<domain/>', running)) {
      if (place.name === network && mac !== undefined) taken.add(Number.parseInt(mac.slice(-2), 16))
    }
  }
  const free = clientNumbers().filter((number) => !taken.has(number))
  const drawn = Buffer.from(randomness.bytes(2)).readUInt16BE()
  const number = free[drawn % free.length]
  if (number !== undefined) return newClientMac(randomness, number)
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `No address is left for another machine on ${network}`, {
    hint: `At most ${clientNumbers().length} clients stand on one LAN: remove some, or take another router.`,
  })
}
