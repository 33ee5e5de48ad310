/**
 * The definition of a machine that comes back from a backup: as it was, with its files where they are now, and under a new
 * name with an identity of its own. Pure.
 */
import { VmpkgError } from '../errors.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { insertElement, removeAttribute, removeElement, replaceElement, setAttribute, setText } from '../xml/edit.ts'
import { childElements, findElement, findElements, findInNamespace, getAttribute, getText } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import { formatDomainFacts, readDomainFacts, VMPKG_NAMESPACE } from './facts-xml.ts'
import { guardPorts, type PortGuards } from './guard-ports.ts'
import { dropLabels, renumberPorts } from './socket-cards.ts'

export interface RestoredIdentity {
  readonly name: string
  readonly uuid: string
  /** New addresses of cards, by the old ones. */
  readonly macs: ReadonlyMap<string, string>
  readonly guards: PortGuards
  /** New numbers of its ports on LANs of sockets, by LAN. */
  readonly ports?: ReadonlyMap<string, number>
}

export interface RestoredFiles {
  /** Where files are now, by what the definition called them. */
  readonly paths: ReadonlyMap<string, string>
  /** Disks by target: the base that the file stands on now; `undefined` where it stands alone. */
  readonly bases: ReadonlyMap<string, string | undefined>
  /** Changed at every restore: guests that look at it know that time went back. */
  readonly generation: string
  /** Under a session, whose libvirt takes no labels of files. */
  readonly isUnlabelled?: boolean
}

/** @throws {VmpkgError} `BACKUP_INVALID` for what is no definition of ours */
export function restoreDefinition(xml: string, files: RestoredFiles, identity?: RestoredIdentity): string {
  const facts = readDomainFacts(xml)
  const document = parseXml(xml)
  const { root } = document
  const name = findElement(root, 'name')
  const uuid = findElement(root, 'uuid')
  if (facts === undefined || name === undefined || uuid === undefined) {
    throw new VmpkgError('BACKUP_INVALID', 'The backup holds no definition of a machine of vmpkg')
  }
  for (const disk of findElements(root, 'devices/disk')) restand(disk, files.bases)
  const words = new Map(files.paths)
  if (identity !== undefined) {
    words.set(getText(uuid).trim(), identity.uuid)
    for (const [old, mac] of identity.macs) words.set(old, mac)
    retitle(root, getText(name).trim(), identity.name)
    setText(name, identity.name)
  }
  rename(root, words)
  if (files.isUnlabelled === true) dropLabels(root)
  const generation = findElement(root, 'genid')
  if (generation !== undefined) setText(generation, files.generation)
  for (const cid of findElements(root, "devices/vsock/cid[@auto='yes']")) removeAttribute(cid, 'address')
  recordFacts(root, facts, files, identity)
  if (identity !== undefined) guardPorts(root, identity.guards)
  if (identity?.ports !== undefined) renumberPorts(root, identity.ports)
  return formatXml(document)
}

/** What an attribute or an element says, when it is exactly one of these. */
function rename(element: XmlElement, words: ReadonlyMap<string, string>): void {
  for (const { name } of element.attributes) {
    const word = words.get(getAttribute(element, name) ?? '')
    if (word !== undefined) setAttribute(element, name, word)
  }
  const children = childElements(element)
  if (children.length > 0) {
    for (const child of children) rename(child, words)
    return
  }
  const word = words.get(getText(element).trim())
  if (word !== undefined) setText(element, word)
}

function restand(disk: XmlElement, bases: RestoredFiles['bases']): void {
  const target = findElement(disk, 'target')
  const dev = (target && getAttribute(target, 'dev')) ?? ''
  const source = findElement(disk, 'source')
  if (!bases.has(dev) || source === undefined) return
  // It was a volume of LVM, and what is restored is a file.
  const device = getAttribute(disk, 'type') === 'block' ? getAttribute(source, 'dev') : undefined
  if (device !== undefined) {
    setAttribute(disk, 'type', 'file')
    removeAttribute(source, 'dev')
    setAttribute(source, 'file', device)
  }
  for (const old of findElements(disk, 'backingStore')) removeElement(disk, old)
  const base = bases.get(dev)
  if (base === undefined) return
  insertElement(
    disk,
    `<backingStore type='file'>
  <format type='raw'/>
  <source file='${escapeXml(base)}'>
    <seclabel model='dac' relabel='no'/>
  </source>
  <backingStore/>
</backingStore>`,
    { after: source },
  )
}

function retitle(root: XmlElement, old: string, name: string): void {
  const title = findElement(root, 'title')
  if (title === undefined) return
  const text = getText(title)
  if (text === old || text.startsWith(`${old} `)) setText(title, name + text.slice(old.length))
}

function recordFacts(
  root: XmlElement,
  facts: DomainFacts,
  { paths, bases }: RestoredFiles,
  identity: RestoredIdentity | undefined,
): void {
  const metadata = findElement(root, 'metadata')
  const [element] = findInNamespace(root, VMPKG_NAMESPACE, 'domain')
  if (metadata === undefined || element === undefined) throw new TypeError('facts without an element')
  const { base, overlay, medium, serialLog, forwards, wanAddress, wanMac, ...rest } = facts
  const now = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : (paths.get(path) ?? path)
  const files = { overlay: now(overlay), medium: now(medium), serialLog: now(serialLog) }
  const stands = [...bases.values()].some((one) => one !== undefined)
  const place = identity === undefined ? { forwards, wanAddress, wanMac } : {}
  const all: Record<string, unknown> = { ...rest, ...files, ...place, base: stands ? base : undefined }
  const known = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  replaceElement(metadata, element, formatDomainFacts(known as unknown as DomainFacts))
}
