/** How a guest boots and what it is told of its machine: files only from the package, from vmpkg or from the user. */
import { getAttribute, getText } from '../../xml/find.ts'
import { asking, chosen, either, given, matching, never, neverValue, oneOf, type Rule } from '../policy.ts'
import { each, line, number, textOf, word, yesNo } from './values.ts'

const container = 'only containers have it'
// libvirt's own choice goes by the domain's name and would outlive an ephemeral clone.
const ownVariables = given("this domain's own UEFI variables", 'nvram')
const elsewhere: Rule = {
  never: "lie in this domain's own file",
  children: { source: never("lie in this domain's own file") },
}
const userFile = asking('host-file:read', chosen)

export const os: Rule = {
  attributes: { firmware: oneOf('bios', 'efi') },
  children: {
    type: { attributes: { arch: word, machine: word }, text: oneOf('hvm') },
    kernel: textOf(either(given("the package's kernel", 'kernel'), userFile)),
    initrd: textOf(either(given("the package's initrd", 'initrd'), userFile)),
    dtb: textOf(userFile),
    shim: textOf(userFile),
    cmdline: textOf(matching(/^[\x20-\x7E]{0,2048}$/, 'one line of printable characters')),
    // Without a file libvirt chooses the host's own firmware, by what `firmware` and `feature` say.
    loader: {
      attributes: {
        readonly: oneOf('yes'),
        type: oneOf('pflash', 'rom'),
        secure: yesNo,
        stateless: yesNo,
        format: oneOf('raw', 'qcow2'),
      },
      text: either(given("the host's firmware", 'firmwareCode'), blank),
      judge: (element) =>
        getText(element).trim() !== '' &&
        (getAttribute(element, 'type') === undefined ||
          (getAttribute(element, 'type') === 'pflash' && getAttribute(element, 'readonly') === undefined))
          ? 'says its type, and that flash is read-only'
          : undefined,
    },
    nvram: {
      attributes: {
        template: given("the host's firmware", 'firmwareVars'),
        format: oneOf('raw', 'qcow2'),
        templateFormat: oneOf('raw', 'qcow2'),
      },
      variants: {
        by: 'type',
        absent: '',
        cases: {
          '': { text: ownVariables },
          file: { children: { source: { attributes: { file: ownVariables }, required: ['file'] } } },
          network: elsewhere,
          block: elsewhere,
        },
      },
    },
    firmware: {
      children: { feature: { attributes: { enabled: yesNo, name: word }, many: true } },
    },
    boot: { attributes: { dev: oneOf('hd', 'cdrom', 'network', 'fd') }, many: true },
    bootmenu: { attributes: { enable: yesNo, timeout: number } },
    bios: { attributes: { useserial: yesNo, rebootTimeout: matching(/^(?:-1|[0-9]{1,5})$/, 'milliseconds or -1') } },
    smbios: {
      attributes: {
        mode: either(oneOf('emulate', 'sysinfo'), neverValue("would tell the guest this host's serial numbers")),
      },
    },
    acpi: { children: { table: { attributes: { type: word }, text: userFile, many: true } } },
    ...each(never(container), 'init', 'initarg', 'initenv', 'initdir', 'inituser', 'initgroup', 'root'),
  },
}

const entry: Rule = { attributes: { name: word }, text: line, many: true }
const entries: Rule = { children: { entry } }

export const sysinfo: Rule = {
  many: true,
  variants: {
    by: 'type',
    cases: {
      smbios: {
        children: {
          ...each(entries, 'bios', 'system', 'chassis', 'oemStrings'),
          baseBoard: { ...entries, many: true },
        },
      },
      fwcfg: {
        children: {
          entry: {
            attributes: { name: matching(/^opt\/[\w./+-]{1,51}$/, 'a name below opt/'), file: userFile },
            text: line,
            many: true,
          },
        },
      },
    },
  },
}

function blank(value: string): string | undefined {
  return value.trim() === '' ? undefined : 'is no choice of libvirt'
}
