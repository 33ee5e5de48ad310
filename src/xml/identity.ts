/**
 * By what libvirt tells elements of one name and parent apart: the target of a disk, the MAC of an interface. The one
 * place that knows; merging and comparing both ask here. Source: libvirt's formatdomain, formatnetwork, formatcaps,
 * formatstorage, formatsnapshot, formatnode and formatnwfilter pages, and what virsh's update-device looks a device up by.
 */
import { childElements, findElement, getAttribute, getText } from './find.ts'
import type { XmlElement } from './tree.ts'

/**
 * By local name: lists of places, of which the first counts that finds anything. A place is an attribute, a child's
 * attribute, a child's text, or `.` for the element's own text.
 */
export const IDENTITIES: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  // Devices of a domain.
  ['disk', [['target/@dev'], ['@name'], ['alias/@name']]],
  ['interface', [['mac/@address'], ['@dev'], ['target/@dev'], ['alias/@name']]],
  ['filesystem', [['target/@dir']]],
  ['controller', [['@type', '@index']]],
  ['channel', [['target/@name'], ['target/@address', 'target/@port'], ['@name'], ['alias/@name']]],
  ['serial', [['target/@port'], ['alias/@name']]],
  ['parallel', [['target/@port'], ['alias/@name']]],
  ['console', [['target/@type', 'target/@port'], ['alias/@name']]],
  ['input', [['@type', '@bus', 'source/@dev', 'source/@evdev']]],
  ['graphics', [['@type']]],
  [
    'hostdev',
    [
      ['source/address/@domain', 'source/address/@bus', 'source/address/@slot', 'source/address/@function'],
      ['source/address/@uuid'],
      ['source/vendor/@id', 'source/product/@id'],
      ['source/address/@device'],
      ['source/adapter/@name', 'source/address/@target', 'source/address/@unit'],
      ['source/@wwpn'],
      ['source/block', 'source/char', 'source/interface'],
    ],
  ],
  ['shmem', [['@name']]],
  ['audio', [['@id']]],
  ['watchdog', [['@model']]],
  ['panic', [['@model']]],
  // Processors and memory.
  ['vcpupin', [['@vcpu']]],
  ['iothreadpin', [['@iothread']]],
  ['vcpusched', [['@vcpus']]],
  ['iothreadsched', [['@iothreads']]],
  ['cachetune', [['@vcpus']]],
  ['memorytune', [['@vcpus']]],
  ['iothread', [['@id']]],
  ['memnode', [['@cellid']]],
  ['cell', [['@id']]],
  ['sibling', [['@id']]],
  ['cpu', [['@id'], ['arch']]],
  ['bank', [['@id', '@level', '@type']]],
  ['pages', [['@size', '@unit']]],
  ['page', [['@size', '@unit', '@nodeset']]],
  ['timer', [['@name']]],
  ['feature', [['@name']]],
  ['mode', [['@name']]],
  ['blockers', [['@model']]],
  // Start, host data, labels.
  ['boot', [['@dev'], ['@order']]],
  ['seclabel', [['@model', '@type']]],
  ['secmodel', [['model']]],
  ['entry', [['@name'], ['@file']]],
  ['env', [['@name']]],
  ['device', [['path']]],
  // Networks.
  ['host', [['@mac'], ['@id'], ['@ip'], ['@name', '@port']]],
  ['hostname', [['.']]],
  ['range', [['@start']]],
  ['ip', [['@address']]],
  ['route', [['@address', '@prefix', '@netmask']]],
  ['portgroup', [['@name']]],
  ['forwarder', [['@domain', '@addr']]],
  ['srv', [['@service', '@protocol', '@domain', '@target']]],
  ['txt', [['@name']]],
  ['pf', [['@dev']]],
  ['portForward', [['@proto', '@address', '@dev']]],
  ['parameter', [['@name', '@value']]],
  // Capabilities, nodes, storage.
  ['guest', [['os_type', 'arch/@name']]],
  ['domain', [['@type']]],
  ['machine', [['.']]],
  ['model', [['.']]],
  ['value', [['.']]],
  ['enum', [['@name']]],
  ['capability', [['@type']]],
  ['address', [['@domain', '@bus', '@slot', '@function'], ['@uuid']]],
])

/** What tells this element from its siblings of the same name; undefined where libvirt has nothing, or the element lacks it. */
export function identityOf(element: XmlElement): string | undefined {
  for (const places of IDENTITIES.get(element.name.slice(element.name.indexOf(':') + 1)) ?? []) {
    const known = places.map((place) => valueAt(element, place)).filter((value) => value !== undefined)
    if (known.length > 0) return known.join(' ')
  }
  return undefined
}

function valueAt(element: XmlElement, place: string): string | undefined {
  if (place === '.') return (childElements(element).length === 0 && getText(element).trim()) || undefined
  const at = place.indexOf('@')
  const path = (at === -1 ? place : place.slice(0, at)).replace(/\/$/, '')
  const found = path === '' ? element : findElement(element, path)
  if (found === undefined) return undefined
  return at === -1 ? getText(found).trim() : getAttribute(found, place.slice(at + 1))
}

/** Elements that are another one when their identity is another, even where there is only one: devices, address reservations. */
export function isKnownByIdentity(element: XmlElement, parent: XmlElement): boolean {
  return parent.name === 'devices' || element.name === 'host' || element.name === 'portgroup'
}

/** Elements whose order among themselves says something even though they have names: boot order, arguments, filter rules. */
const ORDERED: ReadonlySet<string> = new Set(['boot', 'arg', 'initarg', 'rule', 'filterref', 'forwarder'])
/** Devices that libvirt gives addresses in the order of the document, unless they have one. */
const ADDRESSED: ReadonlySet<string> = new Set(['interface', 'hostdev', 'redirdev', 'memory'])

/** Whether the order of siblings of one local name, which all have an identity, means something to libvirt. */
export function isOrderMeant(localName: string, siblings: readonly XmlElement[]): boolean {
  if (ORDERED.has(localName)) return true
  const hasNoAddress = (element: XmlElement): boolean => childElements(element).every(({ name }) => name !== 'address')
  return ADDRESSED.has(localName) && siblings.some((one) => childElements(one).length > 0 && hasNoAddress(one))
}
