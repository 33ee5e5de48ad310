/**
 * The PCI devices that parameters choose, looked up on this host with all their functions. Their IOMMU groups are judged
 * together: the functions of one card may be chosen by several parameters.
 */
import { VmpkgError } from '../errors.ts'
import { planPassthrough, requirePlan } from '../host/passthrough-plan.ts'
import { readPciHost } from '../host/pci-host.ts'
import { isChoiceParameter } from '../model/choice.ts'
import type { Manifest, ParameterValues } from '../model/manifest.ts'
import { PCI_CLASS_WORDS, parsePciSelector } from '../model/pci.ts'
import type { PciContext } from '../model/template-context.ts'
import { privateHostName } from './connection-name.ts'
import { refuseInSession } from './session-mode.ts'
import type { Workspace } from './workspace.ts'

/**
 * By parameter; empty where none chooses a PCI device.
 * @param target root of the host's file tree, for tests
 * @param forDomain name of the machine that gets them, whose own devices are not taken
 * @throws {VmpkgError} `DEVICE_UNKNOWN` `DEVICE_REFUSED` `PARAMETER_INVALID` another class, `HOST_UNSUPPORTED` private host, session
 */
export async function choosePciDevices(
  workspace: Pick<Workspace, 'connectionName'>,
  { parameters: definitions }: Pick<Manifest, 'parameters'>,
  values: ParameterValues,
  forDomain: string,
  target = '/',
): Promise<Readonly<Record<string, readonly PciContext[]>>> {
  const wanted = Object.entries(definitions).flatMap(([parameter, definition]) => {
    const value = values[parameter]?.value
    if (!isChoiceParameter(definition) || definition.type !== 'pci' || typeof value !== 'string') return []
    return value === '' ? [] : [{ parameter, definition, selectors: value.split(',').map(parsePciSelector) }]
  })
  const [first] = wanted
  if (first === undefined) return {}
  refuseInSession(workspace, `PCI devices are not given away, as parameter ${JSON.stringify(first.parameter)} asks`)
  if (privateHostName(workspace.connectionName) !== undefined) {
    const message = `A private host has no PCI devices of this machine: parameter ${JSON.stringify(first.parameter)}`
    throw new VmpkgError('HOST_UNSUPPORTED', message, { hint: 'Use --connect qemu:///system for that device.' })
  }
  const host = await readPciHost(target)
  const common = { mode: 'default', wholeCards: true, forDomain } as const
  requirePlan(planPassthrough(host, { ...common, selectors: wanted.flatMap(({ selectors }) => selectors) }))
  const chosen: Record<string, readonly PciContext[]> = {}
  for (const { parameter, definition, selectors } of wanted) {
    const { hostdevs } = planPassthrough(host, { ...common, selectors })
    const prefix = definition.class === undefined ? undefined : PCI_CLASS_WORDS[definition.class]
    const isOfClass = hostdevs.some(({ address }) => {
      const device = host.devices.find((one) => one.address === address)
      return prefix === undefined || device?.classCode.startsWith(prefix) === true
    })
    if (!isOfClass) {
      const message = `Parameter ${JSON.stringify(parameter)} takes a device of class ${definition.class ?? ''}, and ${hostdevs.map(({ address }) => address).join(', ')} is none`
      throw new VmpkgError('PARAMETER_INVALID', message, {
        hint: `lspci -D -d ::${prefix ?? ''}xx lists those of this host.`,
        details: { parameter },
      })
    }
    chosen[parameter] = hostdevs.map(({ pci }) => pci)
  }
  return chosen
}
