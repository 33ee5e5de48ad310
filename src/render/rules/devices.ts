/** The devices that have no file of their own, and the table of all of them. */
import { asking, chosen, either, given, never, neverValue, oneOf, type Rule, rule } from '../policy.ts'
import { characterDevices, ends, log } from './chardev.ts'
import { memoryDevice } from './cpu-memory.ts'
import { device, virtioDevice, virtioDriver } from './device.ts'
import { disk, lease } from './disk.ts'
import { audio, graphics, input, sound, video } from './display.ts'
import { hostDevice } from './host-device.ts'
import { networkCard } from './network-card.ts'
import { attributes, each, hexadecimal, large, line, number, onOff, quantity, textOf, word, yesNo } from './values.ts'

const controller: Rule = rule(device, {
  attributes: {
    type: oneOf('usb', 'scsi', 'virtio-serial', 'pci', 'sata', 'ide', 'fdc', 'ccid', 'isa', 'nvme'),
    model: word,
    ...each(number, 'index', 'ports', 'vectors'),
    ...each(neverValue('only Xen has it'), 'maxGrantFrames', 'maxEventChannels'),
  },
  required: ['type'],
  children: {
    driver: rule(virtioDriver, {
      attributes: { ...each(number, 'queues', 'cmd_per_lun', 'max_sectors', 'iothread'), ioeventfd: onOff },
      children: {
        iothreads: {
          children: {
            iothread: {
              many: true,
              attributes: { id: number },
              children: { queue: { attributes: { id: number }, many: true } },
            },
          },
        },
      },
    }),
    master: attributes(number, 'startport'),
    model: attributes(word, 'name'),
    pcihole64: quantity,
    target: {
      attributes: {
        ...each(hexadecimal, 'chassisNr', 'chassis', 'port', 'busNr', 'index', 'memReserve'),
        hotplug: onOff,
      },
      children: { node: textOf(number) },
    },
  },
})

/** A folder of the host: virtiofs and 9p. Reading only where `<readonly/>` stands: `judgeFolder`. */
const folder: Rule = {
  children: {
    source: { attributes: { dir: chosen, socket: asking('host-chardev', chosen) } },
    driver: rule(virtioDriver, {
      attributes: {
        type: oneOf('path', 'handle', 'virtiofs', 'mtp'),
        wrpolicy: oneOf('immediate'),
        queue: number,
        format: neverValue('only containers have it'),
        name: neverValue('only containers have it'),
      },
    }),
  },
  judge: (element, gate) => {
    const isReadOnly = element.children.some((node) => node.type === 'element' && node.name === 'readonly')
    const need = isReadOnly ? 'host-folder:read' : 'host-folder:write'
    const reason = gate.missing(need)
    return reason === undefined ? undefined : { reason, allowedBy: need }
  },
}
const containerFolder = (...names: readonly string[]): Rule => ({
  never: 'only containers have it',
  children: { source: { attributes: each(neverValue('only containers have it'), ...names) } },
})

const filesystem: Rule = rule(device, {
  attributes: {
    accessmode: oneOf('passthrough', 'mapped', 'squash'),
    ...each(word, 'fmode', 'dmode', 'multidevs'),
    model: oneOf('virtio', 'virtio-transitional', 'virtio-non-transitional'),
  },
  variants: {
    by: 'type',
    absent: 'mount',
    cases: {
      mount: folder,
      template: containerFolder('name'),
      file: containerFolder('file'),
      block: containerFolder('dev'),
      ram: containerFolder('usage', 'units'),
      bind: containerFolder('dir'),
      volume: containerFolder('pool', 'volume'),
    },
  },
  children: {
    binary: {
      attributes: { path: neverValue('would run a program of this host'), xattr: onOff },
      children: {
        cache: attributes(word, 'mode'),
        lock: attributes(onOff, 'posix', 'flock'),
        sandbox: attributes(oneOf('namespace', 'chroot'), 'mode'),
        thread_pool: attributes(number, 'size'),
        openfiles: attributes(number, 'max'),
      },
    },
    idmap: never('libvirt chooses which users of this host the guest is'),
    target: { attributes: { dir: line }, required: ['dir'] },
    readonly: {},
    space_hard_limit: never('only containers have it'),
    space_soft_limit: never('only containers have it'),
  },
})

const socketOf = (need: 'host-chardev'): Rule => ({
  needs: need,
  attributes: { type: oneOf('unix'), path: chosen, mode: oneOf('connect', 'client') },
})

const tpm: Rule = rule(device, {
  attributes: { model: word },
  children: {
    backend: {
      required: ['type'],
      variants: {
        by: 'type',
        cases: {
          emulator: {
            attributes: {
              version: oneOf('1.2', '2.0'),
              persistent_state: yesNo,
              debug: number,
            },
            children: {
              encryption: { attributes: { secret: chosen } },
              active_pcr_banks: { children: each<Rule>({}, 'sha1', 'sha256', 'sha384', 'sha512') },
              profile: { attributes: { source: line, removeDisabled: word, name: line } },
              source: {
                needs: 'host-file:write',
                attributes: { type: oneOf('file', 'dir'), path: chosen },
                required: ['type', 'path'],
              },
            },
          },
          passthrough: {
            needs: 'tpm-passthrough',
            children: { device: { attributes: { path: either(oneOf('/dev/tpm0'), chosen) } } },
          },
          external: {
            needs: 'host-chardev',
            children: { source: socketOf('host-chardev') },
          },
        },
      },
    },
  },
})

const rng: Rule = rule(virtioDevice, {
  attributes: { model: oneOf('virtio', 'virtio-transitional', 'virtio-non-transitional') },
  required: ['model'],
  children: {
    rate: attributes(large, 'bytes', 'period'),
    backend: {
      required: ['model'],
      variants: {
        by: 'model',
        cases: {
          random: { text: either(oneOf('/dev/urandom', '/dev/random'), asking('host-chardev', chosen)) },
          builtin: {},
          egd: { needs: 'host-chardev', variants: { by: 'type', cases: ends }, children: { log } },
        },
      },
    },
  },
})

const smartcard: Rule = rule(device, {
  needs: 'redirection',
  variants: {
    by: 'mode',
    cases: {
      host: {},
      'host-certificates': { children: { certificate: { text: line, many: true }, database: textOf(chosen) } },
      passthrough: {
        variants: { by: 'type', cases: ends },
        children: {
          log,
          target: { ...attributes(word, 'type', 'name', 'port'), children: { model: attributes(word, 'name') } },
        },
      },
    },
  },
})

const shmem: Rule = rule(device, {
  needs: 'shared-memory',
  attributes: { name: word, role: oneOf('master', 'peer') },
  required: ['name'],
  children: {
    model: attributes(oneOf('ivshmem', 'ivshmem-plain', 'ivshmem-doorbell'), 'type'),
    size: quantity,
    server: { attributes: { path: asking('host-chardev', chosen) } },
    msi: { attributes: { vectors: number, ioeventfd: onOff } },
  },
})

export const devices: Rule = {
  children: {
    emulator: textOf(given("the host's emulator", 'emulator')),
    disk,
    lease,
    controller,
    filesystem,
    interface: networkCard,
    input,
    sound,
    audio,
    hostdev: hostDevice,
    graphics,
    video,
    ...characterDevices,
    smartcard,
    redirdev: rule(device, {
      needs: 'redirection',
      attributes: { bus: oneOf('usb') },
      variants: { by: 'type', cases: ends },
      children: { log },
    }),
    redirfilter: {
      children: {
        usbdev: {
          many: true,
          attributes: { class: word, vendor: word, product: word, version: word, allow: yesNo },
        },
      },
    },
    hub: rule(device, { attributes: { type: oneOf('usb') } }),
    watchdog: rule(device, {
      attributes: {
        model: word,
        // No dump: it would keep a guest's memory on the host's disk.
        action: oneOf('reset', 'shutdown', 'poweroff', 'pause', 'none', 'inject-nmi'),
      },
    }),
    memballoon: rule(virtioDevice, {
      attributes: {
        model: oneOf('none', 'virtio', 'virtio-transitional', 'virtio-non-transitional'),
        autodeflate: onOff,
        freePageReporting: onOff,
      },
      required: ['model'],
      children: { stats: attributes(number, 'period') },
    }),
    rng,
    tpm,
    shmem,
    memory: memoryDevice,
    vsock: rule(virtioDevice, {
      needs: 'vsock',
      attributes: { model: word },
      children: { cid: { attributes: { auto: yesNo, address: number } } },
    }),
    iommu: rule(device, {
      attributes: { model: oneOf('intel', 'smmuv3', 'virtio', 'amd') },
      children: {
        driver: {
          attributes: {
            ...each(onOff, 'intremap', 'caching_mode', 'eim', 'iotlb', 'dma_translation'),
            aw_bits: number,
            passthrough: onOff,
            xtsup: onOff,
          },
        },
      },
    }),
    panic: rule(device, { attributes: { model: word } }),
    nvram: device,
    pstore: rule(device, {
      needs: 'host-file:write',
      attributes: { backend: oneOf('acpi-erst') },
      children: { path: textOf(chosen), size: quantity },
    }),
    crypto: rule(virtioDevice, {
      attributes: { model: oneOf('virtio'), type: oneOf('qemu') },
      children: { backend: { attributes: { model: oneOf('builtin', 'lkcf'), queues: number } } },
    }),
  },
}
