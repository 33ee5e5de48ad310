/**
 * What a rendered domain may hold, as a table over one context. Whatever is not named here (foreign namespaces,
 * `qemu:commandline`, file systems, sockets, devices of the host, memory and CPU tuning of the host, title, description
 * and metadata, which `stamp.ts` writes) is refused. Source of the elements: libvirt 9.0's domain format.
 */
import type { DomainTemplateContext } from '../model/template-context.ts'
import { matching, oneOf, pathOf, type Rule, type Rules } from './policy.ts'

const number = matching(/^[0-9]{1,6}$/, 'a small number')
const word = matching(/^[A-Za-z0-9._+-]{1,64}$/, 'a plain word')
const hexadecimal = matching(/^(?:0x)?[0-9a-fA-F]{1,8}$/, 'a number')
const yesNo = oneOf('yes', 'no')
const onOff = oneOf('on', 'off')

/** `hugepages`: the package has the capability and the user granted it. */
export function domainRules(context: DomainTemplateContext, hugepages: boolean): Rules {
  const { domain, host, images, overlay, nvram, medium, serialLog } = context
  const memory = oneOf(String(domain.memoryKib))
  const imagePaths = Object.values(images)
  // A router that boots again must be attested again before its LAN opens: it ends instead, and the host starts it.
  const afterEnd = context.lan === undefined ? oneOf('destroy', 'restart') : oneOf('destroy')
  const rules: Record<string, Rule> = {
    domain: { attributes: { type: oneOf(host.virtType) }, required: ['type'] },
    'domain/name': { text: oneOf(domain.name) },
    'domain/uuid': { text: oneOf(domain.uuid) },
    'domain/genid': { text: matching(/^(?:[0-9a-f-]{36})?$/, 'a UUID or nothing') },
    'domain/memory': { attributes: { unit: oneOf('KiB'), dumpCore: onOff }, required: ['unit'], text: memory },
    'domain/currentMemory': { attributes: { unit: oneOf('KiB') }, required: ['unit'], text: memory },
    'domain/vcpu': { attributes: { placement: oneOf('static') }, text: oneOf(String(domain.vcpus)) },
    'domain/os': {},
    'domain/os/type': { attributes: { arch: word, machine: word }, text: oneOf('hvm') },
    'domain/os/kernel': { text: pathOf("the package's kernel", images.kernel) },
    'domain/os/initrd': { text: pathOf("the package's initrd", images.initrd) },
    'domain/os/cmdline': { text: matching(/^[\x20-\x7E]{0,2048}$/, 'one line of printable characters') },
    'domain/os/loader': {
      attributes: { readonly: oneOf('yes'), type: oneOf('pflash'), secure: yesNo },
      required: ['readonly', 'type'],
      text: pathOf("the host's firmware", host.firmware?.code),
    },
    'domain/os/nvram': {
      attributes: { template: pathOf("the host's firmware", host.firmware?.vars) },
      required: ['template'],
      // libvirt's own choice goes by the domain's name and would outlive an ephemeral clone.
      text: pathOf("this domain's own UEFI variables", nvram),
    },
    'domain/os/boot': { attributes: { dev: oneOf('hd', 'cdrom') }, many: true },
    'domain/os/bootmenu': { attributes: { enable: yesNo } },
    'domain/features': {},
    'domain/features/acpi': {},
    'domain/features/apic': {},
    'domain/features/pae': {},
    'domain/features/smm': { attributes: { state: onOff } },
    'domain/features/vmport': { attributes: { state: onOff } },
    'domain/features/kvm': {},
    'domain/features/kvm/hidden': { attributes: { state: onOff } },
    'domain/cpu': {
      attributes: {
        mode: oneOf('custom', 'host-model', 'host-passthrough', 'maximum'),
        match: oneOf('exact', 'minimum', 'strict'),
        check: oneOf('none', 'partial', 'full'),
        migratable: onOff,
      },
    },
    'domain/cpu/model': { attributes: { fallback: oneOf('allow', 'forbid') }, text: word },
    'domain/cpu/topology': { attributes: { sockets: number, dies: number, cores: number, threads: number } },
    'domain/cpu/feature': { attributes: { policy: word, name: word }, many: true },
    'domain/cpu/cache': { attributes: { mode: oneOf('passthrough', 'emulate', 'disable'), level: number } },
    'domain/clock': { attributes: { offset: oneOf('utc', 'localtime') } },
    'domain/clock/timer': {
      attributes: { name: word, tickpolicy: word, present: yesNo, track: oneOf('guest', 'wall', 'boot') },
      many: true,
    },
    'domain/clock/timer/catchup': { attributes: { threshold: number, slew: number, limit: number } },
    'domain/on_poweroff': { text: afterEnd },
    'domain/on_reboot': { text: afterEnd },
    // No core dump: it would keep a guest's memory on the host's disk.
    'domain/on_crash': { text: afterEnd },
    'domain/pm': {},
    'domain/pm/suspend-to-mem': { attributes: { enabled: yesNo } },
    'domain/pm/suspend-to-disk': { attributes: { enabled: yesNo } },
    'domain/devices': {},
    'domain/devices/emulator': { text: pathOf("the host's emulator", host.emulator) },
    'domain/devices/disk': {
      attributes: { type: oneOf('file'), device: oneOf('disk', 'cdrom') },
      required: ['type', 'device'],
      many: true,
    },
    'domain/devices/disk/driver': {
      attributes: {
        name: oneOf('qemu'),
        type: oneOf('raw', 'qcow2'),
        cache: oneOf('default', 'none', 'writeback', 'writethrough', 'directsync'),
        io: oneOf('threads', 'native', 'io_uring'),
        discard: oneOf('ignore', 'unmap'),
        detect_zeroes: oneOf('off', 'on', 'unmap'),
      },
      required: ['name', 'type'],
    },
    'domain/devices/disk/source': {
      attributes: { file: pathOf('a file that vmpkg gave to this domain', ...imagePaths, overlay?.path, medium) },
      required: ['file'],
    },
    'domain/devices/disk/backingStore': { attributes: { type: oneOf('file') } },
    'domain/devices/disk/backingStore/format': { attributes: { type: oneOf('raw') }, required: ['type'] },
    'domain/devices/disk/backingStore/source': {
      attributes: { file: pathOf('the base of the overlay', overlay?.base) },
      required: ['file'],
    },
    'domain/devices/disk/backingStore/backingStore': {},
    'domain/devices/disk/target': {
      attributes: {
        dev: matching(/^[vs]d[a-z]$/, 'vda to vdz or sda to sdz'),
        bus: oneOf('virtio', 'scsi', 'sata', 'usb'),
      },
      required: ['dev', 'bus'],
    },
    'domain/devices/disk/readonly': {},
    'domain/devices/disk/shareable': {},
    'domain/devices/disk/serial': { text: word },
    'domain/devices/controller': {
      attributes: {
        type: oneOf('usb', 'scsi', 'virtio-serial', 'pci', 'sata'),
        index: number,
        model: oneOf('none', 'virtio-scsi', 'qemu-xhci', 'pcie-root', 'pcie-root-port', 'pcie-to-pci-bridge'),
        ports: number,
        vectors: number,
      },
      required: ['type'],
      many: true,
    },
    'domain/devices/interface': { attributes: { type: oneOf('network', 'bridge') }, required: ['type'], many: true },
    'domain/devices/interface/mac': { attributes: { address: macAddress }, required: ['address'] },
    'domain/devices/interface/source': {
      attributes: {
        network: oneOf(...context.nics.flatMap((nic) => nic.network ?? [])),
        bridge: oneOf(...context.nics.flatMap((nic) => nic.bridge ?? [])),
      },
    },
    'domain/devices/interface/model': { attributes: { type: oneOf('virtio', 'e1000e') }, required: ['type'] },
    'domain/devices/interface/mtu': { attributes: { size: number } },
    'domain/devices/interface/link': { attributes: { state: oneOf('up', 'down') }, required: ['state'] },
    'domain/devices/interface/port': { attributes: { isolated: yesNo }, required: ['isolated'] },
    'domain/devices/hostdev': {
      attributes: { mode: oneOf('subsystem'), type: oneOf('pci'), managed: yesNo },
      required: ['mode', 'type', 'managed'],
      many: true,
    },
    'domain/devices/hostdev/source': {},
    'domain/devices/hostdev/source/address': {
      attributes: {
        type: oneOf('pci'),
        domain: hexadecimal,
        bus: hexadecimal,
        slot: hexadecimal,
        function: hexadecimal,
      },
      required: ['domain', 'bus', 'slot', 'function'],
    },
    'domain/devices/serial': { attributes: { type: oneOf('pty') }, required: ['type'], many: true },
    'domain/devices/serial/target': { attributes: { type: oneOf('isa-serial'), port: number } },
    'domain/devices/serial/log': {
      attributes: { file: pathOf("this domain's serial log", serialLog), append: onOff },
      required: ['file'],
    },
    'domain/devices/console': { attributes: { type: oneOf('pty') }, required: ['type'], many: true },
    'domain/devices/console/target': { attributes: { type: oneOf('serial', 'virtio'), port: number } },
    'domain/devices/channel': { attributes: { type: oneOf('unix') }, required: ['type'], many: true },
    'domain/devices/channel/source': { attributes: { mode: oneOf('bind') } },
    'domain/devices/channel/target': {
      attributes: { type: oneOf('virtio'), name: oneOf('org.vmpkg.agent.0', 'org.qemu.guest_agent.0') },
      required: ['type', 'name'],
    },
    'domain/devices/rng': { attributes: { model: oneOf('virtio') }, required: ['model'] },
    'domain/devices/rng/rate': { attributes: { bytes: number, period: number } },
    'domain/devices/rng/backend': {
      attributes: { model: oneOf('random') },
      text: oneOf('/dev/urandom', '/dev/random'),
    },
    'domain/devices/memballoon': { attributes: { model: oneOf('none', 'virtio') }, required: ['model'] },
    'domain/devices/input': {
      attributes: { type: oneOf('mouse', 'tablet', 'keyboard'), bus: oneOf('ps2', 'usb', 'virtio') },
      required: ['type', 'bus'],
      many: true,
    },
    'domain/devices/graphics': {
      attributes: {
        type: oneOf('vnc', 'spice'),
        port: oneOf('-1'),
        autoport: oneOf('yes'),
        listen: oneOf('127.0.0.1', '::1', 'localhost'),
      },
      required: ['type'],
    },
    'domain/devices/graphics/listen': {
      attributes: { type: oneOf('address', 'socket', 'none'), address: oneOf('127.0.0.1', '::1', 'localhost') },
      required: ['type'],
    },
    'domain/devices/video': {},
    'domain/devices/video/model': {
      attributes: {
        type: oneOf('none', 'virtio', 'vga', 'qxl', 'bochs', 'ramfb'),
        heads: number,
        primary: yesNo,
        vram: number,
        ram: number,
        vgamem: number,
      },
      required: ['type'],
    },
  }
  for (const path of ['disk/source', 'disk/backingStore/source']) {
    rules[`domain/devices/${path}/seclabel`] = {
      attributes: { model: oneOf('dac'), relabel: oneOf('no') },
      required: ['model', 'relabel'],
    }
  }
  for (const device of ADDRESSED) {
    rules[`domain/devices/${device}/alias`] = { attributes: { name: matching(/^ua-[\w-]{1,64}$/, 'a user alias') } }
    rules[`domain/devices/${device}/address`] = { attributes: GUEST_ADDRESS, required: ['type'] }
    rules[`domain/devices/${device}/boot`] = { attributes: { order: number }, required: ['order'] }
  }
  if (hugepages) {
    rules['domain/memoryBacking'] = {}
    rules['domain/memoryBacking/hugepages'] = {}
    rules['domain/memoryBacking/nosharepages'] = {}
  }
  return rules
}

const macAddress = matching(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, 'a MAC address in lower case')
const ADDRESSED = ['disk', 'controller', 'interface', 'hostdev', 'channel', 'rng', 'memballoon', 'input', 'video']
/** Where the device stands inside the guest; no reference to the host. */
const GUEST_ADDRESS = {
  type: oneOf('pci', 'drive', 'virtio-serial', 'usb'),
  domain: hexadecimal,
  bus: hexadecimal,
  slot: hexadecimal,
  function: hexadecimal,
  multifunction: onOff,
  controller: number,
  target: number,
  unit: number,
  port: hexadecimal,
} as const
