/**
 * Writes what vmpkg knows into rendered XML that passed the gate: title, description, libosinfo's id (virt-manager shows
 * them) and our facts (formats 5.1). Templates cannot write these elements themselves: the gate refuses them.
 */
import { VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import type { DomainFacts, NetworkFacts } from '../model/libvirt-facts.ts'
import type { Parameter } from '../model/manifest.ts'
import { insertElement, removeAttribute, setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import type { VerifiedDomainXml } from './domain-policy.ts'
import { formatDomainFacts, formatNetworkFacts, publicParameters } from './facts-xml.ts'
import { guardPorts, type PortGuards } from './guard-ports.ts'
import type { VerifiedNetworkXml } from './network-policy.ts'
import { joinBySockets, type SocketCards } from './socket-cards.ts'

export interface DomainStamp {
  readonly facts: DomainFacts
  /** The manifest's parameters: what they do not declare, and secrets, stay out of libvirt. */
  readonly definitions: Readonly<Record<string, Parameter>>
  readonly title: string
  readonly description: string
  /** libosinfo's short id (`debian12`). */
  readonly osId?: string
  /** Where its cards stand on LANs of routers. */
  readonly guards?: PortGuards
  /** What its cards become where libvirt makes no bridges. */
  readonly sockets?: SocketCards
  /** Disks that outlive the machine, in the order of the guest’s targets. */
  readonly data?: readonly StampedDisk[]
  /** Those disks of vmpkg, by path, that are not plain files. */
  readonly volumes?: ReadonlyMap<string, StampedVolume>
  /** Its memory never goes to swap. Of an emulated processor so many bytes of translated code at most are kept with it. */
  readonly lockMemory?: { readonly translationBytes: number }
}

export interface StampedVolume {
  readonly isDevice: boolean
  /** UUID of the secret with its key, where it is encrypted. */
  readonly secret?: string
}

interface StampedDisk {
  /** qcow2. */
  readonly path: string
  /** By which the guest knows it. */
  readonly serial: string
}

/** Domain XML ready for libvirt. @throws {VmpkgError} `XML_INVALID` facts that XML cannot carry, `HOST_UNSUPPORTED` */
export function stampDomain({ xml }: VerifiedDomainXml, stamp: DomainStamp): string {
  const document = parseXml(xml)
  const parameters = publicParameters(stamp.facts.parameters, stamp.definitions)
  const elements = [
    `<title>${escapeXml(cleanLine(stamp.title))}</title>`,
    `<description>${escapeXml(cleanText(stamp.description))}</description>`,
    formatMetadata(formatOs(stamp.osId), formatDomainFacts({ ...stamp.facts, parameters })),
  ]
  insertAfterUuid(document.root, elements)
  if (stamp.facts.kind !== 'router') tellGeneration(document.root)
  if (stamp.facts.ephemeral) leaveNoTrace(document.root, stamp.facts)
  if (stamp.guards !== undefined) guardPorts(document.root, stamp.guards)
  if (stamp.sockets !== undefined) joinBySockets(document.root, stamp.sockets)
  for (const disk of stamp.data ?? []) addDisk(document.root, disk)
  if (stamp.volumes !== undefined) describeVolumes(document.root, stamp.volumes)
  if (stamp.lockMemory !== undefined) lockMemory(document.root, stamp.lockMemory)
  return formatXml(document)
}

/**
 * By it a guest knows that it was cloned or set back, and takes new randomness (leak case K1); libvirt changes it then. The
 * same for the same machine, so that it is no change of the user's. It is told by ACPI.
 */
function tellGeneration(root: XmlElement): void {
  const uuid = findElement(root, 'uuid')
  const isTold = findElement(root, 'genid') !== undefined
  if (uuid === undefined || isTold || findElement(root, 'features/acpi') === undefined) return
  const digits = sha256(`generation ${getText(uuid)}`)
  const genid = digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5')
  insertElement(root, `<genid>${genid}</genid>`, { after: uuid })
}

/** No dump has its memory; where its disk is encrypted, the key is the secret that has the machine's UUID. */
function leaveNoTrace(root: XmlElement, { storage, overlay }: DomainFacts): void {
  const memory = findElement(root, 'memory')
  if (memory !== undefined) setAttribute(memory, 'dumpCore', 'off')
  if (storage !== 'encrypted' || overlay === undefined) return
  const uuid = findElement(root, 'uuid')
  for (const source of findElements(root, 'devices/disk/source')) {
    if (uuid === undefined || getAttribute(source, 'file') !== overlay) continue
    const secret = `<secret type='passphrase' uuid='${escapeXml(getText(uuid))}'/>`
    insertElement(source, `<encryption format='luks'>\n  ${secret}\n</encryption>`)
  }
}

/** QEMU locks all that it has; how much an emulator may keep of translated code is said, or that is 1 GiB more. */
function lockMemory(root: XmlElement, { translationBytes }: { readonly translationBytes: number }): void {
  const backing = findElement(root, 'memoryBacking') ?? insertElement(root, '<memoryBacking>\n</memoryBacking>')
  if (findElement(backing, 'locked') === undefined) insertElement(backing, '<locked/>')
  if (getAttribute(root, 'type') !== 'qemu' || findElement(root, 'features/tcg') !== undefined) return
  const features = findElement(root, 'features') ?? insertElement(root, '<features>\n</features>')
  const size = `<tb-cache unit='MiB'>${Math.ceil(translationBytes / 1024 ** 2)}</tb-cache>`
  insertElement(features, `<tcg>\n  ${size}\n</tcg>`)
}

/** Templates and the gate know files alone: what a disk lies in is the host's business, and said after them. */
function describeVolumes(root: XmlElement, volumes: ReadonlyMap<string, StampedVolume>): void {
  for (const disk of findElements(root, 'devices/disk')) {
    const source = findElement(disk, 'source')
    const path = source && getAttribute(source, 'file')
    const volume = path === undefined ? undefined : volumes.get(path)
    if (source === undefined || path === undefined || volume === undefined) continue
    if (volume.isDevice) {
      setAttribute(disk, 'type', 'block')
      removeAttribute(source, 'file')
      setAttribute(source, 'dev', path)
    }
    if (volume.secret === undefined) continue
    const secret = `<secret type='passphrase' uuid='${escapeXml(volume.secret)}'/>`
    insertElement(source, `<encryption format='luks'>\n  ${secret}\n</encryption>`)
  }
}

/** Network XML ready for libvirt. @throws {VmpkgError} `XML_INVALID` facts that XML cannot carry */
export function stampNetwork({ xml }: VerifiedNetworkXml, facts: NetworkFacts): string {
  const document = parseXml(xml)
  insertAfterUuid(document.root, [formatMetadata(formatNetworkFacts(facts))])
  return formatXml(document)
}

function addDisk(root: XmlElement, { path, serial }: StampedDisk): void {
  const devices = findElement(root, 'devices')
  if (devices === undefined) throw new TypeError('a domain without devices')
  const disks = findElements(devices, 'disk')
  const taken = new Set(findElements(devices, 'disk/target').map((one) => getAttribute(one, 'dev')))
  const letter = 'bcdefghijklmnopqrstuvwxyz'.split('').find((one) => !taken.has(`vd${one}`))
  if (letter === undefined) throw new VmpkgError('RENDER_REFUSED', 'No place is left for another disk')
  const after = disks.at(-1)
  insertElement(
    devices,
    `<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2' discard='unmap'/>
  <source file='${escapeXml(path)}'/>
  <target dev='vd${letter}' bus='virtio'/>
  <serial>${escapeXml(serial)}</serial>
</disk>`,
    after === undefined ? {} : { after },
  )
}

function insertAfterUuid(root: XmlElement, elements: readonly string[]): void {
  let after = findElement(root, 'uuid')
  for (const element of elements) after = insertElement(root, element, after === undefined ? {} : { after })
}

function formatMetadata(...children: readonly (string | undefined)[]): string {
  const lines = children.filter((child) => child !== undefined).map((child) => `\n  ${child.replaceAll('\n', '\n  ')}`)
  return `<metadata>${lines.join('')}\n</metadata>`
}

/** Short ids as libosinfo's database names them; unknown families are left out rather than guessed. */
const OS_FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^debian(\d+)$/, 'http://debian.org/debian/'],
  [/^ubuntu(\d+\.\d+)$/, 'http://ubuntu.com/ubuntu/'],
  [/^fedora(\d+)$/, 'http://fedoraproject.org/fedora/'],
  [/^alpinelinux(\d+\.\d+)$/, 'http://alpinelinux.org/alpinelinux/'],
  [/^freebsd(\d+\.\d+)$/, 'http://freebsd.org/freebsd/'],
  [/^openbsd(\d+\.\d+)$/, 'http://openbsd.org/openbsd/'],
  [/^win(10|11|2k\d+)$/, 'http://microsoft.com/win/'],
]

function formatOs(shortId: string | undefined): string | undefined {
  for (const [pattern, address] of OS_FAMILIES) {
    const release = pattern.exec(shortId ?? '')?.[1]
    if (release === undefined) continue
    const namespace = 'http://libosinfo.org/xmlns/libvirt/domain/1.0'
    return `<libosinfo:libosinfo xmlns:libosinfo="${namespace}">\n  <libosinfo:os id="${address}${release}"/>\n</libosinfo:libosinfo>`
  }
  return undefined
}

/** libvirt refuses a title with a line end; control characters never reach a terminal from here. */
function cleanLine(text: string): string {
  return cleanText(text.slice(0, 200)).replace(/[\n\u2028\u2029]+/g, ' ')
}

function cleanText(text: string): string {
  const cut = text.slice(0, 4000).toWellFormed()
  return cut.replace(/[^\n\P{Cc}]|[\uFFFE\uFFFF]/gu, ' ').trim()
}
