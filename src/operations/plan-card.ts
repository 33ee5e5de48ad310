/** A card for a client of a router's LAN, with an address that no other card there has. */
import { readCards } from '../domain/cards.ts'
import { newClientMac } from '../domain/identity.ts'
import { absent, nameOf } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientNumbers } from '../model/lan-address.ts'
import type { Randomness } from '../ports.ts'
import { readDomainFacts } from '../render/facts-xml.ts'

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` where the LAN is full */
export async function planClientMac(connect: Connect, network: string, randomness: Randomness): Promise<string> {
  const [mac = ''] = await planClientMacs(connect, network, randomness, 1)
  return mac
}

/** For several at once, each with another address. @throws {VmpkgError} `ADDRESS_UNAVAILABLE` where not all have room */
export async function planClientMacs(
  connect: Connect,
  network: string,
  randomness: Randomness,
  count: number,
): Promise<readonly string[]> {
  const taken = new Set((await readNumbers(connect, network)).map(({ number }) => number))
  const free = clientNumbers().filter((number) => !taken.has(number))
  const macs: string[] = []
  while (macs.length < count && free.length > 0) {
    const drawn = Buffer.from(randomness.bytes(2)).readUInt16BE()
    const [number = 0] = free.splice(drawn % free.length, 1)
    macs.push(newClientMac(randomness, number))
  }
  if (macs.length === count) return macs
  if (count > 1) {
    throw new VmpkgError(
      'ADDRESS_UNAVAILABLE',
      `${network} has addresses for ${macs.length} more machines, not ${count}`,
      {
        hint: 'Take a smaller --count, remove some, or take another router with --net.',
      },
    )
  }
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `No address is left for another machine on ${network}`, {
    hint: `At most ${clientNumbers().length} clients stand on one LAN: remove some, or take another router.`,
  })
}

/** For a machine that comes with the card that it has. @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
export async function requireFreeAddress(
  connect: Connect,
  { network, mac, machine }: { readonly network: string; readonly mac: string; readonly machine: string },
): Promise<void> {
  const own = numberOf(mac)
  const other = (await readNumbers(connect, network)).find(({ number, name }) => number === own && name !== machine)
  if (other === undefined) return
  throw new VmpkgError(
    'ADDRESS_UNAVAILABLE',
    `${other.name} on ${network} has the address that ${machine} would have there`,
    {
      hint: `Move ${other.name} away, or make ${machine} anew there: vmpkg clone --net ${network}.`,
    },
  )
}

/** What cards of clients on a LAN have as their last bytes, those of the next start included. */
async function readNumbers(
  connect: Connect,
  network: string,
): Promise<readonly { readonly number: number; readonly name: string }[]> {
  const found: { number: number; name: string }[] = []
  for (const domain of await connect.listAllDomains()) {
    const stored = await domain.getXMLDesc({ flags: ['inactive'] }).catch(absent('noDomain'))
    const running = await domain.getXMLDesc().catch(absent('noDomain'))
    // Routers have addresses below those of clients, whatever their cards are called.
    const facts = readDomainFacts(stored ?? running ?? '<domain/>')
    if (facts?.kind === 'router') continue
    for (const { mac, place } of readCards(stored ?? '<domain/>', running)) {
      if (place.name === network && mac !== undefined)
        found.push({ number: numberOf(mac), name: nameOf(domain, facts) })
    }
  }
  return found
}

function numberOf(mac: string): number {
  return Number.parseInt(mac.slice(-2), 16)
}
