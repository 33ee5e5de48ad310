/** Contexts as `domain/` makes them, and the templates and partials of this repository, for tests of rendering. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { DomainTemplateContext, NetworkTemplateContext, NicContext } from '../../src/model/template-context.ts'

const TEMPLATES = fileURLToPath(new URL('../../templates/', import.meta.url))

export function readTemplate(path: string): string {
  return readFileSync(TEMPLATES + path, 'utf8')
}

export function readPartials(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(`${TEMPLATES}partials`)
      .filter((file) => file.endsWith('.hbs'))
      .map((file) => [file.slice(0, -'.hbs'.length), readTemplate(`partials/${file}`)]),
  )
}

const wan: NicContext = {
  role: 'wan',
  mac: '52:54:00:0a:00:01',
  network: 'vmpkg-uplink',
  link: 'up',
  isolated: false,
}
const lan: NicContext = { role: 'lan', mac: '52:54:00:0a:00:02', network: 'vmpkg-uni0', link: 'down', isolated: false }

export const routerContext: DomainTemplateContext = {
  domain: { name: 'router-uni', uuid: '3f0f7e0c-8f3e-4c2b-9f56-3d2b7a8c1d10', memoryKib: 163_840, vcpus: 1 },
  host: { virtType: 'qemu', emulator: '/usr/bin/qemu-system-x86_64' },
  params: { memory: 167_772_160, uplink: 'auto' },
  images: {
    kernel: '/var/lib/vmpkg/images/aa/kernel',
    initrd: '/var/lib/vmpkg/images/bb/initrd',
    root: '/var/lib/vmpkg/images/cc/root.erofs',
  },
  verity: `${'d1'.repeat(32)}:2518`,
  medium: '/var/lib/vmpkg/domains/router-uni/config.iso',
  nics: [wan, lan],
  wan,
  lan,
  serialLog: '/var/lib/vmpkg/domains/router-uni/serial.log',
}

/** The same router with its uplink passed through, on a host with KVM. */
export const passthroughContext: DomainTemplateContext = (() => {
  const pciWan: NicContext = {
    role: 'wan',
    mac: wan.mac,
    pci: { domain: '0000', bus: '03', slot: '00', function: '0' },
    link: 'up',
    isolated: false,
  }
  return {
    ...routerContext,
    host: { virtType: 'kvm', emulator: '/usr/bin/qemu-system-x86_64' },
    nics: [pciWan, lan],
    wan: pciWan,
  }
})()

const client: NicContext = {
  role: 'wan',
  mac: '52:54:00:0b:00:01',
  network: 'vmpkg-uni0',
  link: 'up',
  isolated: true,
}

/** A router behind the first: its WAN is an isolated port on that one's LAN. */
export const lowerContext: DomainTemplateContext = (() => {
  const above: NicContext = { ...client, mac: wan.mac }
  const below: NicContext = { ...lan, network: 'vmpkg-gal0' }
  const { domain } = routerContext
  return { ...routerContext, domain: { ...domain, name: 'router-gal' }, nics: [above, below], wan: above, lan: below }
})()

/** An ephemeral clone: no serial log. */
export const consoleContext: DomainTemplateContext = {
  domain: { name: 'app-console-1', uuid: 'b2c7c5fb-7fbd-4a35-9a4a-0d0f1d4f8a11', memoryKib: 131_072, vcpus: 1 },
  host: { virtType: 'qemu', emulator: '/usr/bin/qemu-system-x86_64' },
  params: { memory: 134_217_728 },
  images: {
    kernel: '/var/lib/vmpkg/images/aa/kernel',
    initrd: '/var/lib/vmpkg/images/bb/initrd',
    disk: '/var/lib/vmpkg/images/dd/disk.raw',
  },
  overlay: { path: '/var/lib/vmpkg/domains/app-console-1/disk.qcow2', base: '/var/lib/vmpkg/images/dd/disk.raw' },
  medium: '/var/lib/vmpkg/domains/app-console-1/config.iso',
  nics: [client],
  wan: client,
}

export const osContext: DomainTemplateContext = {
  ...consoleContext,
  domain: { ...consoleContext.domain, name: 'os-debian-1', memoryKib: 524_288, vcpus: 2 },
  host: {
    virtType: 'kvm',
    emulator: '/usr/bin/qemu-system-x86_64',
    firmware: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  },
  params: { memory: 536_870_912 },
  nvram: '/var/lib/vmpkg/domains/os-debian-1/nvram.fd',
  images: { disk: '/var/lib/vmpkg/images/dd/disk.raw' },
  serialLog: '/var/lib/vmpkg/domains/os-debian-1/serial.log',
}

export const lanContext: NetworkTemplateContext = {
  network: {
    name: 'vmpkg-uni0',
    uuid: '0a6f2f5e-51f5-4d0f-8d8e-2f7a4b8f5c21',
    bridge: 'vmpkg-uni0',
    mac: '52:54:00:0a:00:03',
  },
}

export const uplinkContext: NetworkTemplateContext = {
  network: {
    name: 'vmpkg-uplink',
    uuid: '5d9f2b1e-43f0-4be7-bb61-6c1f5e0d7a32',
    bridge: 'vmpkg-up',
    mac: '52:54:00:0a:00:04',
    address: '192.168.251.1',
    netmask: '255.255.255.0',
    rangeFirst: '192.168.251.10',
    rangeLast: '192.168.251.250',
  },
}
