/**
 * Where a machine goes whose parameters `pin` or `hugepages` are true: its placement on the connection's host, planned
 * anew for every rendering from what the host has now. Its own present pins and pages do not stand in its way.
 */
import type { HostRoots } from '../host/kernel-files.ts'
import { formatPciAddress, parsePciAddress } from '../model/pci.ts'
import type { Placement } from '../model/placement.ts'
import type { PciContext } from '../model/template-context.ts'
import { findElement, findElements, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { placeMachine } from './place-machine.ts'
import { draftMachine, type MachineInput } from './render-machine.ts'
import type { Workspace } from './workspace.ts'

/**
 * @param roots where sysfs and procfs are; the real ones by default
 * @returns the input, with its placement where the parameters ask for one
 * @throws {VmpkgError} `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` and what rendering refuses
 */
export async function placeInput(workspace: Workspace, input: MachineInput, roots?: HostRoots): Promise<MachineInput> {
  const [pin, hugepages] = [input.parameters['pin']?.value === true, input.parameters['hugepages']?.value === true]
  if (!pin && !hugepages) return input
  // How many I/O threads there are to pin only the template knows: it is rendered once without pins.
  const { rendered, context } = await draftMachine({ ...input, placement: UNPLACED })
  const iothreads = pin ? countIothreads(rendered) : 0
  const { placement } = await placeMachine(workspace, {
    vcpus: context.domain.vcpus,
    memoryKib: context.domain.memoryKib,
    iothreads,
    pin: pin ? 'yes' : 'no',
    hugepages: hugepages ? 'yes' : 'no',
    near: listPciAddresses(input),
    machine: input.name,
    ...(roots === undefined ? {} : { roots }),
  })
  return { ...input, placement }
}

/** Lets templates that ask for a placement without a test be rendered. */
const UNPLACED: Placement = {
  vcpuPins: [],
  emulatorCpus: [],
  iothreadPins: [],
  memoryNodes: [],
  topology: { sockets: 1, dies: 1, cores: 1, threads: 1 },
  cells: [],
  reasons: [],
}

/** As libvirt numbers them: `iothreads`, or as many as `iothreadids` lists where those are more. */
function countIothreads(xml: string): number {
  const { root } = parseXml(xml)
  const count = findElement(root, 'iothreads')
  return Math.max(count === undefined ? 0 : Number(getText(count)), findElements(root, 'iothreadids/iothread').length)
}

/** Of devices that parameters chose and of the card on the uplink, each once. */
function listPciAddresses({ pci = {}, nics }: MachineInput): readonly string[] {
  const devices: readonly PciContext[] = [...Object.values(pci).flat(), ...nics.flatMap((nic) => nic.pci ?? [])]
  const addresses = devices.map(({ domain, bus, slot, function: fn }) =>
    formatPciAddress(parsePciAddress(`${domain}:${bus}:${slot}.${fn}`)),
  )
  return [...new Set(addresses)].toSorted()
}
