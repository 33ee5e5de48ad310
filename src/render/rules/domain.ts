/**
 * What a rendered domain may hold: the root of the rules. Everything that libvirt's schemas know (9.0 and 11.3) has a
 * place here, if only to say why it has none; a test compares. What is not named is refused.
 */
import { given, never, neverValue, oneOf, type Rule } from '../policy.ts'
import { os, sysinfo } from './boot.ts'
import { processorsAndMemory } from './cpu-memory.ts'
import { devices } from './devices.ts'
import { throttleGroups } from './disk.ts'
import { clock, features, keywrap, perf, pm, seed } from './features.ts'
import { each, textOf, word } from './values.ts'

const COMMAND_LINE = 'qemu-commandline'
const afterEnd = textOf(given('what a machine does then', 'afterEnd'))

/** Of the namespace `http://libvirt.org/schemas/domain/qemu/1.0`, whatever the document calls it: see `parseDomain`. */
const qemu: Readonly<Record<string, Rule>> = {
  'qemu:commandline': {
    needs: COMMAND_LINE,
    children: {
      'qemu:arg': { attributes: { value: () => undefined }, many: true },
      'qemu:env': { attributes: { name: word, value: () => undefined }, many: true },
    },
  },
  'qemu:override': {
    needs: COMMAND_LINE,
    children: {
      'qemu:device': {
        many: true,
        attributes: { alias: word },
        children: {
          'qemu:frontend': {
            children: {
              'qemu:property': { attributes: { name: word, type: word, value: () => undefined }, many: true },
            },
          },
        },
      },
    },
  },
  'qemu:capabilities': {
    needs: COMMAND_LINE,
    children: each({ attributes: { capability: word }, many: true }, 'qemu:add', 'qemu:del'),
  },
  'qemu:deprecation': { needs: COMMAND_LINE, attributes: { behavior: word } },
}

const foreign: Readonly<Record<string, Rule>> = {
  'lxc:namespace': never('only containers have it'),
  'bhyve:commandline': never('only bhyve has it'),
  'xen:commandline': never('only Xen has it'),
  'vmware:datacenterpath': never('only VMware has it'),
}

const ours = never('vmpkg writes it, after the gate')

export const domain: Rule = {
  attributes: {
    type: given('how guests run on this host', 'virtType'),
    id: neverValue('only libvirt says this'),
    'xmlns:qemu': oneOf('http://libvirt.org/schemas/domain/qemu/1.0'),
  },
  required: ['type'],
  children: {
    name: textOf(given("the machine's name", 'name')),
    uuid: textOf(given("the machine's UUID", 'uuid')),
    genid: seed,
    title: ours,
    description: ours,
    metadata: ours,
    ...processorsAndMemory,
    os,
    sysinfo,
    features,
    clock,
    on_poweroff: afterEnd,
    on_reboot: afterEnd,
    // No core dump: it would keep a guest's memory on the host's disk.
    on_crash: afterEnd,
    // Not "ignore": the disk is another machine's then.
    on_lockfailure: textOf(oneOf('poweroff', 'restart', 'pause')),
    pm,
    perf,
    keywrap,
    throttlegroups: throttleGroups,
    devices,
    resource: never('would place the machine outside the limits that this host sets'),
    idmap: never('only containers have it'),
    seclabel: never('would run the machine as another user, or without the confinement of this host'),
    launchSecurity: never('vmpkg cannot attest it'),
    bootloader: never('would run a program of this host'),
    bootloader_args: never('would run a program of this host'),
    ...qemu,
    ...foreign,
  },
}
