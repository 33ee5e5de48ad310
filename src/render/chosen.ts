/**
 * From the values of a package's parameters to the lists that templates walk: devices, disks, folders, ports and cards
 * that the user chose. Letters, labels and MACs are given here, so that the same values always give the same machine.
 */
import { VmpkgError } from '../errors.ts'
import {
  type ChoiceType,
  clashes,
  DISK_KINDS,
  isChoiceParameter,
  parseCard,
  parseForward,
  parseNetworkDisk,
  parseUsb,
} from '../model/choice.ts'
import { sha256 } from '../model/digest.ts'
import type { ChoiceParameter, Parameter, ParameterValue } from '../model/manifest.ts'
import type {
  CardContext,
  ChosenContext,
  DiskContext,
  FolderContext,
  ForwardContext,
  HostdevContext,
  NetworkChoices,
  PciContext,
} from '../model/template-context.ts'

export interface ChosenInput {
  readonly definitions: Readonly<Record<string, Parameter>>
  readonly values: Readonly<Record<string, ParameterValue>>
  /** UUID of the domain: its cards keep their MACs. */
  readonly uuid: string
  /** What the PCI parameters chose, every function of each, in the order of the texts. */
  readonly pci?: Readonly<Record<string, readonly PciContext[]>>
}

interface Choice {
  readonly parameter: string
  readonly text: string
  readonly definition: ChoiceParameter
}

/** @throws {VmpkgError} `PARAMETER_INVALID` two ports of the host, devices or folders that clash, too many disks */
export function chooseForDomain(input: ChosenInput): ChosenContext {
  const choices = listChoices(input)
  const of = (...types: readonly ChoiceType[]): readonly Choice[] =>
    choices.filter(({ definition }) => types.includes(definition.type))
  refuseTwice(choices)
  const drives = letterDisks(of('disk', 'iso', 'block', 'network-disk'))
  return {
    hostdevs: of('pci', 'usb', 'mdev').flatMap((choice, index, all) =>
      hostdevsOf(choice, all[index - 1]?.parameter !== choice.parameter, input),
    ),
    disks: drives.filter(({ kind }) => kind !== 'cdrom'),
    cdroms: drives.filter(({ kind }) => kind === 'cdrom'),
    folders: labelFolders(of('folder')),
    evdevs: of('evdev').map(({ parameter, text }) => ({ parameter, path: text })),
    forwards: checkForwards(of('forward').map(({ parameter, text }) => ({ parameter, ...parseForward(text) }))),
    cards: of('card').map((choice, index) => cardOf(choice, index, input.uuid)),
  }
}

export function chooseForNetwork(input: Pick<ChosenInput, 'definitions' | 'values'>): NetworkChoices {
  const choices = listChoices(input)
  const of = (type: ChoiceType): readonly (Choice & { readonly parts: readonly string[] })[] =>
    choices.filter(({ definition }) => definition.type === type).map((one) => ({ ...one, parts: one.text.split('=') }))
  return {
    reservations: of('reservation').map(({ parameter, parts: [mac = '', address = '', name] }) => {
      return { parameter, mac, address, ...(name === undefined ? {} : { name }) }
    }),
    routes: of('route').map(({ parameter, parts: [network = '', gateway = ''] }) => {
      const [address = '', prefix = ''] = network.split('/')
      return { parameter, address, prefix: Number(prefix), gateway }
    }),
    hostNames: of('host-name').map(({ parameter, parts: [name = '', address = ''] }) => ({ parameter, name, address })),
    addresses: of('address').map(({ parameter, text }) => ({ parameter, address: text })),
  }
}

function listChoices({ definitions, values }: Pick<ChosenInput, 'definitions' | 'values'>): readonly Choice[] {
  return Object.entries(definitions).flatMap(([parameter, definition]) => {
    const value = values[parameter]
    if (!isChoiceParameter(definition) || typeof value !== 'string' || value === '') return []
    return value.split(',').map((text) => ({ parameter, text, definition }))
  })
}

/** The texts of one PCI parameter were looked up together: its functions come with the first of them. */
function hostdevsOf(
  { parameter, text, definition }: Choice,
  isFirst: boolean,
  { pci = {} }: ChosenInput,
): readonly HostdevContext[] {
  if (definition.type === 'usb') return [{ parameter, kind: 'usb', usb: parseUsb(text) }]
  if (definition.type === 'mdev') return [{ parameter, kind: 'mdev', uuid: text }]
  const functions = pci[parameter]
  if (functions === undefined) throw new TypeError(`the PCI devices of ${parameter} were not looked up`)
  return isFirst ? functions.map((one) => ({ parameter, kind: 'pci', pci: one })) : []
}

const LETTERS = 'bcdefghijklmnopqrstuvwxy'

function letterDisks(choices: readonly Choice[]): readonly DiskContext[] {
  return choices.map(({ parameter, text, definition }, index) => {
    const letter = LETTERS[index]
    if (letter === undefined) throw refuse(parameter, `more than ${LETTERS.length} disks and CD-ROMs`)
    const kind = DISK_KINDS[definition.type as keyof typeof DISK_KINDS]
    const readonly = kind === 'cdrom' || definition.access === 'read'
    const common = { parameter, kind, format: definition.format ?? 'raw', readonly, letter } as const
    return kind === 'network' ? { ...common, network: parseNetworkDisk(text) } : { ...common, path: text }
  })
}

/** The label rule of DARTS: `host_` and the last word of the path; a number where two would be alike. */
function labelFolders(choices: readonly Choice[]): readonly FolderContext[] {
  const taken = new Set<string>()
  return choices.map(({ parameter, text, definition }) => {
    const word = (text.split('/').at(-1) ?? '').replaceAll(/[^A-Za-z0-9._-]/g, '-')
    // virtiofs allows 36 bytes (Virtio 1.2, 5.11.4), 9p fewer than that many.
    const plain = `host_${word}`.slice(0, 28)
    let label = plain
    for (let number = 2; taken.has(label); number += 1) label = `${plain}-${number}`
    taken.add(label)
    return { parameter, path: text, label, readonly: definition.access !== 'write' }
  })
}

function checkForwards(forwards: readonly ForwardContext[]): readonly ForwardContext[] {
  for (const [index, one] of forwards.entries()) {
    const other = forwards.slice(0, index).find((earlier) => clashes(earlier, one))
    if (other === undefined) continue
    const port = Math.max(one.host, other.host)
    throw refuse(one.parameter, `the host's port ${port}/${one.protocol} is forwarded twice`)
  }
  return forwards
}

/** Locally administered unicast without QEMU's prefix (MAC-1); the same for the same machine, parameter and place. */
function cardOf({ parameter, text }: Choice, index: number, uuid: string): CardContext {
  const digits = sha256(`${uuid}\n${parameter}\n${index}`).slice(0, 12)
  const first = ((Number.parseInt(digits.slice(0, 2), 16) & 0xfc) | 0x02).toString(16).padStart(2, '0')
  const mac = `${first}${digits.slice(2)}`.replaceAll(/(..)(?=.)/g, '$1:')
  return { parameter, mac, ...parseCard(text) }
}

/** One device, disk or writable folder for two purposes destroys what is on it, or cannot be had twice. */
function refuseTwice(choices: readonly Choice[]): void {
  const seen = new Map<string, string>()
  const single: readonly ChoiceType[] = ['usb', 'mdev', 'evdev', 'disk', 'block', 'network-disk', 'device', 'socket']
  for (const { parameter, text, definition } of choices) {
    if (!single.includes(definition.type) || definition.access === 'read') continue
    const other = seen.get(text)
    if (other !== undefined) throw refuse(parameter, `${text} is chosen twice (by ${other} as well)`)
    seen.set(text, parameter)
  }
}

function refuse(parameter: string, reason: string): VmpkgError {
  return new VmpkgError('PARAMETER_INVALID', `Parameter ${JSON.stringify(parameter)}: ${reason}`, {
    hint: 'Give each its own.',
    details: { parameter },
  })
}
