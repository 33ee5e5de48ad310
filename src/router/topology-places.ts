/** Which node of a topology a card leads to. */
import type { CardPlace, Known, KnownNetwork, TopologyEdge } from './topology.ts'

/** Networks by what a card can name: a bridge that belongs to a network is that network, whoever names it. */
export class Places {
  readonly #networks: readonly KnownNetwork[]

  constructor({ networks }: Known) {
    this.#networks = networks.toSorted((a, b) => Number(a.facts === undefined) - Number(b.facts === undefined))
  }

  idOf({ kind, name }: CardPlace): string {
    const owner = kind === 'bridge' ? this.#networks.find(({ bridge }) => bridge === name) : undefined
    return owner === undefined ? `${kind}:${name}` : `network:${owner.name}`
  }

  isOurs(place: CardPlace): boolean {
    const id = this.idOf(place)
    const network = this.#networks.find(({ name }) => `network:${name}` === id)
    return network !== undefined && (network.facts !== undefined || this.#ownerOf(network) !== undefined)
  }

  /** From each network of ours to the foreign ones on its bridge. */
  shared(): readonly TopologyEdge[] {
    return this.#networks.flatMap((network) => {
      const owner = network.facts === undefined ? this.#ownerOf(network) : undefined
      if (owner === undefined) return []
      return [{ from: `network:${owner.name}`, to: `network:${network.name}`, link: 'up', isCut: false, isNext: false }]
    })
  }

  #ownerOf({ bridge, name }: KnownNetwork): KnownNetwork | undefined {
    if (bridge === undefined) return undefined
    return this.#networks.find((one) => one.facts !== undefined && one.name !== name && one.bridge === bridge)
  }
}
