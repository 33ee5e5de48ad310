/**
 * What the gate has against a definition that its user edited, and had not against the one before: libvirt writes much into a
 * definition that no template may, and that is no news. What vmpkg itself stands on does not change by hand.
 */
import type { Capability, GrantName } from '../model/capability.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { childElements, findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { lineOf } from '../xml/line.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlDocument, XmlElement } from '../xml/tree.ts'
import { layOut } from './definition-diff.ts'
import { findDomainFaults } from './domain-policy.ts'
import { VMPKG_NAMESPACE } from './facts-xml.ts'
import type { Finding } from './policy.ts'

export interface EditedDomain {
  readonly before: string
  readonly after: string
  readonly capabilities: readonly Capability[]
  readonly granted: readonly GrantName[]
}

/** `line` is of the edited text; absent for what is missing there. */
export interface EditFinding extends Finding {
  readonly line: number | undefined
}

/** @throws {VmpkgError} `XML_INVALID` */
export function findEditFaults({ before, after, capabilities, granted }: EditedDomain): readonly EditFinding[] {
  const known = new Map<string, number>()
  const judge = (xml: string): readonly Finding[] =>
    findDomainFaults({ xml, capabilities, granted, context: contextOf(before, xml) })
  for (const finding of judge(before)) known.set(keyOf(finding), (known.get(keyOf(finding)) ?? 0) + 1)
  const document = parseXml(after)
  return judge(after).flatMap((finding) => {
    const left = known.get(keyOf(finding)) ?? 0
    if (left > 0) {
      known.set(keyOf(finding), left - 1)
      return []
    }
    return [{ ...finding, line: lineAt(document, finding.path) }]
  })
}

/**
 * Name, UUID, vmpkg's facts, the filter before each port, and the link of cards that are switched by attestation.
 * @throws {VmpkgError} `XML_INVALID`
 */
export function findFixedFaults(before: string, after: string): readonly EditFinding[] {
  const [old, next] = [parseXml(before), parseXml(after)]
  const faults: EditFinding[] = []
  const add = (path: string, reason: string): void => void faults.push({ path, reason, line: lineAt(next, path) })
  for (const [name, reason] of [
    ['name', 'a name is changed by vmpkg rename'],
    ['uuid', 'the UUID stays: its files are named by it'],
  ] as const) {
    const [was, is] = [old, next].map(({ root }) => findElement(root, name))
    if (was !== undefined && (is === undefined ? '' : getText(is).trim()) !== getText(was).trim())
      add(`domain/${name}`, reason)
  }
  if (!isSame(factsOf(old), factsOf(next))) add('domain/metadata', 'what vmpkg wrote down here stays as it is')
  for (const [index, card] of findElements(next.root, 'devices/interface').entries()) {
    const was = findElements(old.root, 'devices/interface').find(
      (one) => macOf(one) !== undefined && macOf(one) === macOf(card),
    )
    const path = `domain/devices/interface${index === 0 ? '' : `[${index + 1}]`}`
    const filter = was && findElement(was, 'filterref')
    if (filter !== undefined && !isSame(filter, findElement(card, 'filterref'))) {
      add(path, 'the filter before its port stays: it holds the machine to its own address')
    }
    const link = was && findElement(was, 'link')
    const isGate = link !== undefined && getAttribute(link, 'state') === 'down'
    if (isGate && !isSame(link, findElement(card, 'link'))) {
      add(path, 'its link is raised when the router has attested its rules, not before')
    }
  }
  return faults
}

function keyOf({ path, reason }: Finding): string {
  return `${path.replaceAll(/\[\d+\]/g, '')} ${reason}`
}

function isSame(a: XmlElement | undefined, b: XmlElement | undefined): boolean {
  return a === undefined || b === undefined ? a === b : layOut(a).join('\n') === layOut(b).join('\n')
}

function factsOf({ root }: XmlDocument): XmlElement | undefined {
  const metadata = findElement(root, 'metadata')
  return metadata === undefined
    ? undefined
    : childElements(metadata).find((one) => one.attributes.some(({ raw }) => raw === VMPKG_NAMESPACE))
}

function macOf(card: XmlElement): string | undefined {
  const mac = findElement(card, 'mac')
  return mac && getAttribute(mac, 'address')
}

/** What vmpkg gave to the machine, by its definition; memory and processors are the user's to change. */
function contextOf(before: string, xml: string): DomainTemplateContext {
  const [old, now] = [parseXml(before).root, parseXml(xml).root]
  const textOf = (root: XmlElement, path: string): string => {
    const element = findElement(root, path)
    return element === undefined ? '' : getText(element).trim()
  }
  const files = findElements(old, 'devices/disk/source').flatMap((source) => getAttribute(source, 'file') ?? [])
  const loader = textOf(old, 'os/loader')
  const nvram = findElement(old, 'os/nvram')
  const vars = (nvram && getAttribute(nvram, 'template')) ?? ''
  const log = findElement(old, 'devices/serial/log')
  const serialLog = log && getAttribute(log, 'file')
  const [kernel, initrd] = [textOf(old, 'os/kernel'), textOf(old, 'os/initrd')]
  const [disk, medium] = [files[0], files.at(-1)]
  return {
    domain: {
      name: textOf(old, 'name'),
      uuid: textOf(old, 'uuid'),
      memoryKib: Number(textOf(now, 'memory')),
      vcpus: Number(textOf(now, 'vcpu')),
    },
    host: {
      virtType: getAttribute(old, 'type') === 'kvm' ? 'kvm' : 'qemu',
      emulator: textOf(old, 'devices/emulator'),
      ...(loader === '' ? {} : { firmware: { code: loader, vars } }),
    },
    params: {},
    images: {
      ...(kernel === '' ? {} : { kernel }),
      ...(initrd === '' ? {} : { initrd }),
      ...(disk === undefined ? {} : { disk }),
    },
    ...(nvram === undefined ? {} : { nvram: textOf(old, 'os/nvram') }),
    ...(medium === undefined ? {} : { medium }),
    ...(serialLog === undefined ? {} : { serialLog }),
    nics: [],
  }
}

/** Of the nearest element that is there: `domain/devices/disk[2]/source/@file`. */
function lineAt(document: XmlDocument, path: string): number | undefined {
  let element = document.root
  for (const step of path.split('/').slice(1)) {
    const [, name = '', , number = '1'] = /^([^@[]+)(\[(\d+)\])?$/.exec(step) ?? []
    const next = childElements(element).filter((one) => one.name === name)[Number(number) - 1]
    if (next === undefined) break
    element = next
  }
  return lineOf(document, element)
}
