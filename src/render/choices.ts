/** From parameters to what the gate lets a template name of the host: only what the user set, none of a package's defaults. */
import type { PciClass } from '../model/capability.ts'
import type { Parameter, ParameterValues } from '../model/manifest.ts'
import type { ChosenContext, NetworkChoices, UsbContext } from '../model/template-context.ts'
import type { Choices } from './gate.ts'
import { pciText } from './rules/pci.ts'

/** What is said of a chosen thing without being the user's word. */
const OURS = new Set(['parameter', 'kind', 'label', 'letter', 'mac', 'readonly', 'format'])

export interface ChoicesInput {
  readonly parameters: ParameterValues
  readonly definitions: Readonly<Record<string, Parameter>>
  /** What `chosen.ts` made of the parameters. */
  readonly context: Partial<ChosenContext> & Partial<NetworkChoices>
}

export function choicesOf({ parameters, definitions, context }: ChoicesInput): Choices {
  const isUsers = (name: string): boolean => {
    const origin = parameters[name]?.origin
    return origin !== undefined && origin !== 'default' && origin !== 'package'
  }
  const whole = Object.entries(parameters)
    .filter(([name]) => isUsers(name))
    .flatMap(([, { value }]) => [String(value), ...String(value).split(',')])
  const { hostdevs = [], disks = [], cdroms = [], folders = [], evdevs = [], forwards = [], cards = [] } = context
  const { reservations = [], routes = [], hostNames = [], addresses = [] } = context
  const lists = [disks, cdroms, folders, evdevs, forwards, cards, reservations, routes, hostNames, addresses]
  const parts = lists.flat().filter(({ parameter }) => isUsers(parameter))
  const devices: Partial<Record<PciClass, readonly string[]>> = {}
  const texts = [...whole, ...parts.flatMap((one) => textsOf(one)), ...reservations.flatMap(macOf(isUsers))]
  for (const one of hostdevs.filter(({ parameter }) => isUsers(parameter))) {
    if (one.kind === 'mdev') texts.push(one.uuid)
    else if (one.kind === 'usb') texts.push(usbText(one.usb))
    else {
      const address = pciText(one.pci)
      texts.push(address)
      const definition = definitions[one.parameter]
      const ofClass = definition?.type === 'pci' ? definition.class : undefined
      if (ofClass !== undefined) devices[ofClass] = [...(devices[ofClass] ?? []), address]
    }
  }
  return { texts, devices }
}

function textsOf(value: object): string[] {
  return Object.entries(value).flatMap(([key, one]: [string, unknown]) => {
    if (OURS.has(key)) return []
    if (typeof one === 'string' || typeof one === 'number') return [String(one)]
    return typeof one === 'object' && one !== null ? textsOf(one) : []
  })
}

/** The MAC of a reservation is the user's; that of a card is ours. */
function macOf(isUsers: (name: string) => boolean): (one: NetworkChoices['reservations'][number]) => string[] {
  return ({ parameter, mac }) => (isUsers(parameter) ? [mac] : [])
}

function usbText({ vendor, product, bus, device }: UsbContext): string {
  return vendor === undefined ? `${bus}.${device}` : `${vendor.toLowerCase()}:${(product ?? '').toLowerCase()}`
}
