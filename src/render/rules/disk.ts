/** Disks, and the lease and the limits that belong to them. Which file may be written is judged in `judge-disks.ts`. */
import { given, matching, never, oneOf, type Rule, rule, unless } from '../policy.ts'
import { device, virtioDriver } from './device.ts'
import { authentication, backingStore, encryption, mirror, storageTypes } from './storage.ts'
import { attributes, each, large, line, number, onOff, textOf, unit, word, yesNo } from './values.ts'

const xen = never('only Xen has it')

const THROTTLES = ['total', 'read', 'write'].flatMap((way) =>
  ['bytes', 'iops'].flatMap((what) => ['', '_max', '_max_length'].map((end) => `${way}_${what}_sec${end}`)),
)
/** Limits of a disk: they can only slow the guest down. */
const throttle: Rule = {
  children: { ...each(textOf(large), ...THROTTLES, 'size_iops_sec'), group_name: textOf(word) },
}

const mapped: Rule = {
  children: {
    iothread: {
      many: true,
      attributes: { id: number },
      children: { queue: { attributes: { id: number }, many: true } },
    },
  },
}

const driver: Rule = rule(virtioDriver, {
  attributes: {
    name: oneOf('qemu'),
    type: oneOf('raw', 'qcow2', 'fat', 'luks', 'vmdk', 'vdi', 'vpc', 'vhdx', 'qed', 'dmg', 'bochs', 'cloop'),
    cache: oneOf('default', 'none', 'writeback', 'writethrough', 'directsync', 'unsafe'),
    io: oneOf('threads', 'native', 'io_uring'),
    ...each(oneOf('stop', 'report', 'ignore', 'enospace'), 'error_policy', 'rerror_policy'),
    discard: oneOf('ignore', 'unmap'),
    detect_zeroes: oneOf('off', 'on', 'unmap'),
    ...each(onOff, 'ioeventfd', 'event_idx', 'copy_on_read', 'discard_no_unref'),
    ...each(number, 'iothread', 'queues', 'queue_size'),
  },
  children: {
    iothreads: mapped,
    metadata_cache: { children: { max_size: { attributes: { unit }, text: number } } },
  },
})

export const disk: Rule = rule(device, {
  attributes: {
    device: oneOf('disk', 'cdrom', 'floppy', 'lun'),
    model: oneOf('virtio', 'virtio-transitional', 'virtio-non-transitional'),
    snapshot: oneOf('no', 'internal', 'external', 'manual'),
    rawio: unless(oneOf('no'), 'block-device', yesNo),
    sgio: unless(oneOf('filtered'), 'block-device', oneOf('unfiltered')),
  },
  required: ['type', 'device'],
  variants: { by: 'type', cases: storageTypes(given('a file that vmpkg gave to this domain', 'file')) },
  children: {
    driver,
    auth: authentication,
    encryption,
    backingStore,
    mirror,
    target: {
      attributes: {
        dev: matching(/^(?:[vsh]d[a-z]{1,2}|fd[ab]|nvme[0-9]{1,2}n[0-9]{1,2})$/, 'a name such as vda or sda'),
        bus: oneOf('virtio', 'scsi', 'sata', 'usb', 'ide', 'fdc', 'sd', 'nvme'),
        tray: oneOf('open', 'closed'),
        removable: onOff,
        rotation_rate: number,
      },
      required: ['dev', 'bus'],
    },
    readonly: {},
    shareable: {},
    transient: attributes(yesNo, 'shareBacking'),
    serial: textOf(matching(/^[A-Za-z0-9 _.+-]{1,36}$/, 'a plain word')),
    wwn: textOf(matching(/^[0-9a-fA-F]{16}$/, '16 hexadecimal digits')),
    vendor: textOf(line),
    product: textOf(line),
    geometry: { attributes: { ...each(number, 'cyls', 'heads', 'secs'), trans: word } },
    blockio: attributes(number, 'logical_block_size', 'physical_block_size', 'discard_granularity'),
    iotune: throttle,
    throttlefilters: { children: { throttlefilter: { attributes: { group: word }, many: true } } },
    backenddomain: xen,
    privateData: never('only libvirt says this'),
  },
})

export const throttleGroups: Rule = { children: { throttlegroup: { ...throttle, many: true } } }

export const lease: Rule = never('a lease is kept in files of this host that other machines write')
