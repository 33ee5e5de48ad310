/** What holds for the machine as a whole: what must stand, memory that adds up, what a display's agent carries. */
import type { DomainTemplateContext } from '../model/template-context.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { Gate } from './gate.ts'
import type { Finding } from './policy.ts'

export function judgeMachine(root: XmlElement, context: DomainTemplateContext, gate: Gate): Finding[] {
  return [
    ...findMissing(root, context),
    ...judgeMemory(root, context),
    ...judgeFirmware(root),
    ...judgeRoot(root, context),
    ...judgeAgent(root, gate),
  ]
}

function findMissing(root: XmlElement, { lan }: DomainTemplateContext): Finding[] {
  // libvirt's own default for a guest that reboots is to let it: a router has to say otherwise.
  const router = lan === undefined ? [] : ['on_reboot', 'on_crash']
  return ['name', 'uuid', 'memory', 'vcpu', 'os/type', 'devices', ...router]
    .filter((path) => findElement(root, path) === undefined)
    .map((path) => ({ path: `domain/${path}`, reason: 'is missing' }))
}

/** NUMA cells and memory devices are parts of the planned memory: libvirt would let them make it more. */
function judgeMemory(root: XmlElement, { domain }: DomainTemplateContext): Finding[] {
  const cells = findElements(root, 'cpu/numa/cell').map((cell) => [getAttribute(cell, 'memory'), cell] as const)
  const devices = findElements(root, 'devices/memory').map((device) => {
    const size = findElement(device, 'target/size')
    return [size && getText(size), size ?? device] as const
  })
  const parts = [...cells, ...devices]
  if (parts.length === 0) return []
  // Both count in KiB, libvirt's default here; the rules let no other unit stand.
  const total = parts.reduce((sum, [text]) => sum + Number(text ?? Number.NaN), 0)
  return total <= domain.memoryKib
    ? []
    : [{ path: 'domain/devices/memory', reason: `cells and memory devices are more than the planned memory` }]
}

/** Where libvirt chooses the firmware it must not choose the file of its variables. */
function judgeFirmware(root: XmlElement): Finding[] {
  const os = findElement(root, 'os')
  if (os === undefined || getAttribute(os, 'firmware') !== 'efi') return []
  const nvram = findElement(os, 'nvram')
  const isStateless = findElement(os, "loader[@stateless='yes']") !== undefined
  return isStateless ||
    (nvram !== undefined && (/\S/.test(getText(nvram)) || findElement(nvram, 'source') !== undefined))
    ? []
    : [{ path: 'domain/os/nvram', reason: "must name this domain's own UEFI variables" }]
}

/** With another root hash, or with none, the kernel would run what nobody signed. */
function judgeRoot(root: XmlElement, { verity }: DomainTemplateContext): Finding[] {
  const line = findElement(root, 'os/cmdline')
  const said = (line === undefined ? '' : getText(line)).split(/\s+/).filter((word) => word.startsWith('verity='))
  const [path, expected] = ['domain/os/cmdline', verity === undefined ? [] : [`verity=${verity}`]]
  if (said.join(' ') === expected.join(' ')) return []
  return verity === undefined
    ? [{ path, reason: 'has a root hash, and the package signs none' }]
    : [{ path, reason: 'must have the root hash that the package signs, once: verity={{images.verity}}' }]
}

/** By default SPICE shares the clipboard and takes files of whoever looks, through the agent's channel. */
function judgeAgent(root: XmlElement, gate: Gate): Finding[] {
  const channels = findElements(root, "devices/channel[@type='spicevmc']")
  const displays = findElements(root, "devices/graphics[@type='spice']")
  const isShut =
    displays.length > 0 &&
    displays.every(
      (one) =>
        findElement(one, "clipboard[@copypaste='no']") !== undefined &&
        findElement(one, "filetransfer[@enable='no']") !== undefined,
    )
  const missing = channels.length > 0 && !isShut ? gate.missing('redirection') : undefined
  const onlySerial = findElements(root, "devices/*[@type='spicevmc']").filter(
    ({ name }) => name !== 'channel' && name !== 'redirdev' && name !== 'smartcard',
  )
  const findings: Finding[] = []
  if (missing !== undefined) {
    findings.push({
      path: 'domain/devices/channel',
      reason: `an agent that shares the clipboard and takes files (both are on where the display does not say no) ${missing}`,
      allowedBy: 'redirection',
    })
  }
  if (onlySerial.length > 0) findings.push({ path: 'domain/devices', reason: 'spicevmc has no place here' })
  return findings
}
