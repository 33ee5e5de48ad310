/**
 * What a domain's definition asks of the host, read from its XML: only what preflight judges. Pure.
 *
 * Source: libvirt's formatdomain.rst. Names of elements are compared as libvirt writes them, without a prefix.
 */
import { findElement, findElements } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import {
  type AddressDemand,
  type HostdevDemand,
  readAddresses,
  readHostdev,
  readShare,
  type ShareDemand,
} from './demand-device.ts'
import { type DiskDemand, readDisk } from './demand-disk.ts'
import { type HugepageDemand, type PinDemand, readHugepages, readPins } from './demand-memory.ts'
import { type NicDemand, type PortDemand, readGraphicsPorts, readNic } from './demand-network.ts'
import { attribute, textOf, toIds, toKib, toNumber } from './demand-values.ts'

export interface DomainDemand {
  readonly name: string
  readonly uuid: string | undefined
  readonly virtType: string
  readonly arch: string | undefined
  readonly machine: string | undefined
  readonly emulator: string | undefined
  readonly memoryKib: number
  /** Maximum. */
  readonly vcpus: number
  readonly hugepages: readonly HugepageDemand[]
  readonly memoryNodes: readonly number[]
  readonly hasSharedMemory: boolean
  readonly pins: readonly PinDemand[]
  readonly cpuMode: string | undefined
  readonly cpuModel: string | undefined
  readonly forbidsCpuFallback: boolean
  readonly firmware: string | undefined
  readonly loader: string | undefined
  readonly wantsSecureBoot: boolean
  readonly hasSmm: boolean
  readonly nvram: string | undefined
  readonly nvramTemplate: string | undefined
  readonly bootFiles: readonly { readonly path: string; readonly file: string }[]
  readonly disks: readonly DiskDemand[]
  readonly nics: readonly NicDemand[]
  readonly hostdevs: readonly HostdevDemand[]
  readonly ports: readonly PortDemand[]
  readonly renderNodes: readonly { readonly path: string; readonly node: string | undefined }[]
  readonly inputs: readonly { readonly path: string; readonly file: string }[]
  readonly tpm: { readonly type: string; readonly device: string | undefined } | undefined
  readonly shares: readonly ShareDemand[]
  readonly vsock: { readonly cid: number | undefined } | undefined
  readonly addresses: readonly AddressDemand[]
}

/** `undefined` for a document that is no domain. */
export function parseDomainDemand(xml: string): DomainDemand | undefined {
  const { root } = parseXml(xml)
  if (root.name !== 'domain') return undefined
  const at = (path: string): XmlElement | undefined => findElement(root, path)
  const text = (path: string): string | undefined => textOf(at(path))
  const loader = at('os/loader')
  const tpm = at('devices/tpm/backend')
  const cid = at('devices/vsock/cid')
  const memory = at('memory')
  return {
    name: text('name') ?? '',
    uuid: text('uuid'),
    virtType: attribute(root, 'type') ?? 'qemu',
    arch: attribute(at('os/type'), 'arch'),
    machine: attribute(at('os/type'), 'machine'),
    emulator: text('devices/emulator'),
    memoryKib: memory === undefined ? 0 : toKib(memory),
    vcpus: Number(text('vcpu') ?? 1),
    hugepages: readHugepages(root),
    memoryNodes: toIds(attribute(at('numatune/memory'), 'nodeset')).concat(
      findElements(root, 'numatune/memnode').flatMap((node) => toIds(attribute(node, 'nodeset'))),
    ),
    hasSharedMemory:
      attribute(at('memoryBacking/access'), 'mode') === 'shared' ||
      findElements(root, 'cpu/numa/cell').some((cell) => attribute(cell, 'memAccess') === 'shared'),
    pins: readPins(root),
    cpuMode: attribute(at('cpu'), 'mode') ?? (at('cpu/model') === undefined ? undefined : 'custom'),
    cpuModel: text('cpu/model'),
    forbidsCpuFallback: attribute(at('cpu/model'), 'fallback') === 'forbid' || attribute(at('cpu'), 'check') === 'full',
    firmware: attribute(at('os'), 'firmware'),
    loader: textOf(loader),
    wantsSecureBoot:
      attribute(loader, 'secure') === 'yes' ||
      findElements(root, 'os/firmware/feature').some(
        (feature) => attribute(feature, 'name') === 'secure-boot' && attribute(feature, 'enabled') === 'yes',
      ),
    hasSmm: at('features/smm') !== undefined && attribute(at('features/smm'), 'state') !== 'off',
    nvram: text('os/nvram'),
    nvramTemplate: attribute(at('os/nvram'), 'template'),
    bootFiles: ['kernel', 'initrd', 'dtb'].flatMap((name) => {
      const file = text(`os/${name}`)
      return file === undefined ? [] : [{ path: name, file }]
    }),
    disks: findElements(root, 'devices/disk').map(readDisk),
    nics: findElements(root, 'devices/interface').map(readNic),
    hostdevs: [
      ...findElements(root, 'devices/hostdev'),
      ...findElements(root, "devices/interface[@type='hostdev']"),
    ].map(readHostdev),
    ports: findElements(root, 'devices/graphics').flatMap(readGraphicsPorts),
    renderNodes: [
      ...findElements(root, 'devices/graphics/gl').filter((gl) => attribute(gl, 'enable') !== 'no'),
      ...findElements(root, "devices/graphics[@type='egl-headless']"),
    ].map((gl) => ({ path: 'graphics', node: attribute(gl, 'rendernode') })),
    inputs: findElements(root, 'devices/input/source').flatMap((source) => {
      const file = attribute(source, 'dev') ?? attribute(source, 'evdev')
      return file === undefined ? [] : [{ path: 'input', file }]
    }),
    tpm:
      tpm === undefined
        ? undefined
        : { type: attribute(tpm, 'type') ?? '', device: attribute(findElement(tpm, 'device'), 'path') },
    shares: findElements(root, 'devices/filesystem').flatMap(readShare),
    vsock:
      at('devices/vsock') === undefined
        ? undefined
        : { cid: attribute(cid, 'auto') === 'yes' ? undefined : toNumber(attribute(cid, 'address')) },
    addresses: readAddresses(root),
  }
}
