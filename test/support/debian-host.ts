/**
 * A file tree as a Debian host has it, as far as host plan changes it: /etc/default/grub as the package grub2-common
 * ships it, with groups, units and programs by name only.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type FakeHost, writeFakeHost } from './fake-pci.ts'

/** The settings of Debian's /usr/share/grub/default/grub; its comments are shorter here. */
export const DEBIAN_GRUB = `# If you change this file, run 'update-grub' afterwards to update
# /boot/grub/grub.cfg.

GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=\`lsb_release -i -s 2> /dev/null || echo Debian\`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX=""

#GRUB_TERMINAL=console
`

const FILES: Readonly<Record<string, string>> = {
  'etc/default/grub': DEBIAN_GRUB,
  'usr/sbin/grub-mkconfig': 'for x in ${sysconfdir}/default/grub.d/*.cfg ; do\n  . "${x}"\ndone\n',
  'usr/sbin/update-grub': '#!/bin/sh\n',
  'usr/sbin/update-initramfs': '#!/bin/sh\n',
  'etc/initramfs-tools/modules': '# List of modules that you want to include in your initramfs.\n',
  'etc/group': 'root:x:0:\nkvm:x:104:\nlibvirt:x:110:bob\nlibvirt-qemu:x:64055:libvirt-qemu\n',
  'usr/lib/systemd/system/libvirtd.service': '[Service]\nLimitMEMLOCK=64M\n',
  'usr/lib/qemu/qemu-bridge-helper': '',
  'etc/qemu/bridge.conf': '# bridges of ours\nallow br9',
}

/** @param files replaced (null: left out) */
export async function writeDebianHost(
  target: string,
  host: FakeHost,
  files: Readonly<Record<string, string | null>> = {},
): Promise<string> {
  await writeFakeHost(target, host)
  for (const [path, text] of Object.entries({ ...FILES, ...files })) {
    if (text === null) continue
    await mkdir(dirname(join(target, path)), { recursive: true })
    await writeFile(join(target, path), text)
  }
  await chmod(join(target, 'etc/group'), 0o640)
  return target
}
