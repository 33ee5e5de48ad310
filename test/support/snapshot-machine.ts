/**
 * A machine as `vmpkg clone` makes one, without a package: metadata, an overlay on a raw base, BIOS or UEFI. Its disk boots
 * the sector of `guest-xml.ts`, which greets on the serial port and then echoes; what else is on it the test writes.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSha256 } from '../../src/model/digest.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { bootSector } from './guest-xml.ts'

export interface SnapshotMachine {
  readonly name: string
  readonly uuid: string
  readonly overlay: string
  readonly base: string
  readonly nvram: string | undefined
  readonly xml: string
}

export interface MachineOptions {
  readonly name: string
  /** Of the connection: `root/var/lib/vmpkg/connections/KEY/overlays`. */
  readonly overlays: string
  /** Where the base goes. */
  readonly folder: string
  /** Code of the firmware, for one that starts by UEFI, and variables to begin with. */
  readonly firmware?: { readonly code: string; readonly variables: string }
  readonly devices?: string
}

export function makeSnapshotMachine({
  name,
  overlays,
  folder,
  firmware,
  devices = '',
}: MachineOptions): SnapshotMachine {
  const uuid = randomUUID()
  mkdirSync(overlays, { recursive: true })
  const base = join(folder, `${name}.raw`)
  const disk = bootSector()
  writeFileSync(base, Buffer.concat([disk, Buffer.alloc(8 * 1024 * 1024 - disk.length)]), { mode: 0o644 })
  const overlay = join(overlays, `${uuid}.qcow2`)
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay])
  const nvram = firmware === undefined ? undefined : join(overlays, `${uuid}.nvram`)
  if (nvram !== undefined && firmware !== undefined) execFileSync('cp', [firmware.variables, nvram])
  const digest = parseSha256('a'.repeat(64))
  const facts = formatDomainFacts({
    package: 'app-test',
    version: '1.0',
    digest,
    origin: 'test',
    createdAt: '2026-01-01T00:00:00.000Z',
    kind: 'app',
    ephemeral: false,
    overlay,
    parameters: {},
  })
  const loader =
    firmware === undefined
      ? ''
      : `<loader readonly='yes' type='pflash'>${firmware.code}</loader><nvram>${nvram}</nvram>`
  const xml = `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><metadata>${facts}</metadata>
    <memory unit='MiB'>${firmware === undefined ? 32 : 96}</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='q35'>hvm</type>${loader}</os><features><acpi/></features>
    <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='${overlay}'/>
      <backingStore type='file'><format type='raw'/><source file='${base}'/><backingStore/></backingStore>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <serial type='pty'/><console type='pty'/>${devices}</devices></domain>`
  return { name, uuid, overlay, base, nvram, xml }
}
