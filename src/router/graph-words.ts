/** The words that all pictures of a topology share. Names come from libvirt, where anyone may have chosen them. */
import type { CardPlace, Mark, TopologyNode } from './topology.ts'
import type { Branch } from './topology-tree.ts'

/** What a picture says of a node, one line each, without what could steer a terminal or break a document. */
export interface NodeWords {
  readonly title: string
  readonly details: readonly string[]
  /** What is not as it should be. */
  readonly warnings: readonly string[]
}

const MARKS: Readonly<Record<Mark, string>> = {
  panic: 'in panic',
  missing: 'this network is gone',
  inactive: 'network is off',
  'no-router': 'its router is gone',
  'several-routers': 'several routers on one LAN',
  'no-upper': 'the router above is gone',
  'no-uplink': 'no card towards the outside',
  'no-card': 'a card is gone',
  'no-lan': 'its LAN is gone',
  'several-networks': 'on several networks',
  loop: 'in a loop',
}

const PLACES: Readonly<Record<CardPlace['kind'], string>> = {
  network: 'network',
  bridge: 'bridge',
  device: 'host card',
  user: 'user-mode network',
  pci: 'PCI card',
  other: 'card of type',
}

const LONGEST = 80
const UNSHOWABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]/g

/** On one line, of showable characters, not endless. */
export function plainText(text: string): string {
  const shown = text.toWellFormed().replaceAll(UNSHOWABLE, '?')
  const characters = Array.from(shown)
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join('')}…` : shown
}

export function describeMarks(marks: readonly Mark[]): readonly string[] {
  return marks.map((mark) => MARKS[mark])
}

/** @param address of its own, reserved on the network above */
export function describeNode(node: TopologyNode, address?: string): NodeWords {
  const { kind, name, place, layer, cidr, bridge, role, state, isForeign, endpoints = [], reach, marks } = node
  const title = kind === 'outside' ? `${PLACES[place ?? 'other']} ${name}` : name
  const details =
    kind === 'network'
      ? [cidr, bridge, role === 'uplink' ? 'uplink' : undefined]
      : [
          layer,
          state,
          address && `at ${address}`,
          ...endpoints.map((one) => `to ${one.protocol} ${one.address} port ${one.port}`),
          ...(reach === undefined ? [] : ['to relays of Tor in the tunnel']),
        ]
  return {
    title: plainText(title.trim()),
    details: details.filter((word) => word !== undefined).map(plainText),
    warnings: [...(isForeign ? ['not made by vmpkg'] : []), ...describeMarks(marks)],
  }
}

/** The same for a branch: the edge above it belongs to it, and what is named again is only named. */
export function describeBranch({ node, edge, isRepeated }: Branch): NodeWords {
  const { title, details, warnings } = describeNode(node, edge?.address)
  const card = [
    ...(edge?.isCut === true ? ['link down'] : []),
    ...(edge?.isNext === true ? ['from the next start'] : []),
  ]
  if (isRepeated) return { title, details: ['see above'], warnings: card }
  return { title, details, warnings: [...card, ...warnings] }
}
